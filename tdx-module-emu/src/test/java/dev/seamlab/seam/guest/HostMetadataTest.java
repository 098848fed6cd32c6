// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.TimeStampCounter;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Metadata as the host reads and writes it (facts: sections 6.1, 6.4 and 6.5). */
class HostMetadataTest {
    private static final long HP_LOCK_TIMEOUT = 0x9110_0003_0000_0011L;
    private static final long VM_CTLS = 0x9110_0003_0000_0012L;
    private static final long NOTIFY_ENABLES = 0x9110_0003_0000_0010L;
    private static final long TD_CTLS = 0x9110_0003_0000_0017L;
    private static final long TSC_MULTIPLIER = 0x1110_0003_0000_000BL;
    private static final long CPUID_VALUES = 0x9410_0003_0000_0000L;
    private static final long MSR_BITMAPS = 0x2010_0003_0000_0000L;
    private static final long SEPT_ROOT = 0x2110_0003_0000_0000L;
    private static final long L2_SEPT_ROOT_1 = 0x2510_0003_0000_0000L;
    private static final long XBUFF_SIZE = 0x9110_0002_0000_000FL;

    private static final long VECTOR = 0x0024_0001_0000_0002L;
    private static final long DESCRIPTOR = 0x0024_0003_0000_2016L;
    private static final long SHARED_EPTP = 0x0024_0003_0000_203CL;
    private static final long PIN_BASED = 0x0024_0002_0000_4000L;
    private static final long SECONDARY = 0x0024_0002_0000_401EL;
    private static final long CR0 = 0x0024_0003_0000_6800L;
    private static final long CR3 = 0x0024_0003_0000_6802L;
    private static final long CR4 = 0x0024_0003_0000_6804L;
    private static final long RIP = 0x0024_0003_0000_681EL;
    private static final long EFER = 0x0024_0003_0000_2806L;
    private static final long CS_RIGHTS = 0x0024_0002_0000_4816L;
    private static final long PEND_NMI = 0x2020_0000_0000_000BL;
    private static final long RSI = 0x1020_0003_0000_0006L;
    private static final long RSP = 0x1020_0003_0000_0004L;
    private static final long XBUFF = 0x1220_0003_0000_0000L;
    private static final long CPUID_CONTROL = 0xA120_0000_0000_0000L;
    private static final long CPUID_USER_VE = 0xA020_0000_0000_0008L;
    private static final long KEY_ID_BITS = 0x000F_C000_0000_0000L;
    private static final long TDVPS_PAGE = 0xA020_0003_0000_0010L;
    private static final long TDCX = 0x8010_0003_0000_0010L;

    private final GuestRig.Running production = GuestRig.running(0);
    private final GuestRig.Running debug = GuestRig.running(TdConfig.ATTRIBUTE_DEBUG);
    private final Registers regs = new Registers();

    private long call(GuestRig.Running td, Leaf leaf, int version, long id, long data, long mask) {
        boolean vcpu = leaf == Leaf.VP_RD || leaf == Leaf.VP_WR;
        regs.clear().rax(leaf.rax(version)).rcx(vcpu ? td.vcpus()[0] : td.rig().tdr);
        regs.rdx(id).r8(data).r9(mask);
        return td.rig().machine.seamcall(td.rig().machine.cpus().getFirst(), regs);
    }

    private long read(GuestRig.Running td, Leaf leaf, long id) {
        long status = call(td, leaf, 0, id, 0, 0);
        assertThat(status).as("%x: %s", id, Status.show(status)).isZero();
        return regs.r8();
    }

    private StatusCode refused(GuestRig.Running td, Leaf leaf, long id, long data, long mask) {
        long status = call(td, leaf, 0, id, data, mask);
        assertThat(status).as("%x", id).isNotZero();
        return StatusCode.of(status);
    }

    private void write(GuestRig.Running td, Leaf leaf, long id, long data, long mask) {
        long status = call(td, leaf, 0, id, data, mask);
        assertThat(status).as("%x: %s", id, Status.show(status)).isZero();
    }

    private Map<Long, Long> walk(GuestRig.Running td, Leaf leaf) {
        assertThat(call(td, leaf, 1, FieldId.NULL, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT.word());
        Map<Long, Long> seen = new LinkedHashMap<>();
        long next = regs.rdx();
        while (next != FieldId.NULL) {
            assertThat(call(td, leaf, 1, next, 0, 0)).as("%x", next).isZero();
            assertThat(seen.put(next, regs.r8())).as("%x twice", next).isNull();
            next = regs.rdx();
        }
        return seen;
    }

    @Test
    void walks_readEveryFieldOnce_andMoreOfADebugTd() {
        Map<Long, Long> ofProduction = walk(production, Leaf.MNG_RD);
        Map<Long, Long> ofDebug = walk(debug, Leaf.MNG_RD);
        assertThat(ofProduction).containsKeys(TDCX, XBUFF_SIZE, HP_LOCK_TIMEOUT);
        assertThat(ofProduction).doesNotContainKeys(SEPT_ROOT, MSR_BITMAPS, L2_SEPT_ROOT_1);
        assertThat(ofDebug.keySet()).containsAll(ofProduction.keySet());
        assertThat(ofDebug).containsKeys(SEPT_ROOT, SEPT_ROOT + 511, MSR_BITMAPS, TD_CTLS);
        assertThat(ofDebug).doesNotContainKey(L2_SEPT_ROOT_1);
        long cpuid = ofProduction.keySet().stream().filter(HostMetadataTest::isCpuid).count();
        assertThat(cpuid).as("79 leaves of two elements").isEqualTo(158);

        Map<Long, Long> vcpu = walk(production, Leaf.VP_RD);
        Map<Long, Long> debugVcpu = walk(debug, Leaf.VP_RD);
        assertThat(vcpu).containsKeys(VECTOR, DESCRIPTOR, SHARED_EPTP, PIN_BASED, PEND_NMI);
        assertThat(vcpu).doesNotContainKeys(RIP, RSI, CR0);
        assertThat(debugVcpu.keySet()).containsAll(vcpu.keySet());
        assertThat(debugVcpu).containsKeys(RIP, RSI, CR0, XBUFF, XBUFF + 1535, CPUID_CONTROL);
        assertThat(debugVcpu).doesNotContainKey(RSP);
    }

    private static boolean isCpuid(long id) {
        return FieldId.fieldClass(id) == 0x14;
    }

    @Test
    void fieldsOfL2Vms_doNotExist() {
        assertThat(refused(debug, Leaf.MNG_RD, L2_SEPT_ROOT_1, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT);
        assertThat(refused(production, Leaf.MNG_RD, SEPT_ROOT, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_READABLE);
    }

    @Test
    void timeout_isKeptInTicks_thirtyTwoBitsOfThem() {
        assertThat(read(production, Leaf.MNG_RD, HP_LOCK_TIMEOUT)).isEqualTo(1_000_000);
        write(production, Leaf.MNG_WR, HP_LOCK_TIMEOUT, 50_001, -1);
        assertThat(regs.r8()).isEqualTo(1_000_000);
        assertThat(read(production, Leaf.MNG_RD, HP_LOCK_TIMEOUT)).isEqualTo(50_001);
        write(production, Leaf.MNG_WR, HP_LOCK_TIMEOUT, 3_000_000, -1);
        long ticks = 3 * 2_100_000_000L - (1L << 32);
        assertThat(read(production, Leaf.MNG_RD, HP_LOCK_TIMEOUT)).isEqualTo(ticks / 2100);
    }

    @Test
    void timeStampCounter_runsAtTheTdsFrequency() {
        // 84 times 25 MHz is what the CPU does.
        assertThat(read(production, Leaf.MNG_RD, TSC_MULTIPLIER)).isEqualTo(1L << 48);
        assertThat(TimeStampCounter.multiplier(42)).isEqualTo(1L << 47);
        assertThat(TimeStampCounter.multiplier(400))
                .isEqualTo(
                        BigInteger.valueOf(10_000_000_000L)
                                .shiftLeft(48)
                                .divide(BigInteger.valueOf(2_100_000_000L))
                                .longValueExact());
        assertThat(TimeStampCounter.offsetForZero(1L << 40, 3L << 47)).isEqualTo(-(3L << 39));
    }

    @Test
    void cpuid_configuredFixedAndUnknownLeaves() {
        long tsc = CPUID_VALUES | 0x15 << 9 | 0x1FE;
        assertThat(read(production, Leaf.MNG_RD, tsc)).isEqualTo(1 | 84L << 32);
        assertThat(read(production, Leaf.MNG_RD, tsc + 1)).isEqualTo(25_000_000);
        long brand = CPUID_VALUES | 0x21 << 9;
        assertThat(read(production, Leaf.MNG_RD, brand)).isEqualTo(0x65746e49L << 32);
        // A leaf without subleaves is found by any; 9 is always zero; 0x30 is nothing.
        assertThat(read(production, Leaf.MNG_RD, CPUID_VALUES | 0x15 << 9 | 5 << 1))
                .isEqualTo(1 | 84L << 32);
        assertThat(read(production, Leaf.MNG_RD, CPUID_VALUES | 9 << 9)).isZero();
        assertThat(refused(production, Leaf.MNG_RD, CPUID_VALUES | 0x30 << 9, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_READABLE);
        assertThat(refused(production, Leaf.MNG_RD, CPUID_VALUES | 1 << 17, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT);
        assertThat(refused(production, Leaf.MNG_WR, CPUID_VALUES | 9 << 9, 0, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_READABLE);
        assertThat(refused(production, Leaf.MNG_WR, tsc, 0, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE);
        // Topology as on the CPU, and leaf 0xB made from it: threads, cores, nothing.
        assertThat(read(production, Leaf.MNG_RD, CPUID_VALUES | 0xB << 9 | 1)).isEqualTo(0x100);
        assertThat(read(production, Leaf.MNG_RD, CPUID_VALUES | 0xB << 9 | 1 << 1 | 1))
                .isEqualTo(0x201);
        assertThat(read(production, Leaf.MNG_RD, CPUID_VALUES | 0xB << 9 | 2 << 1 | 1))
                .isEqualTo(2);
    }

    @Test
    void bitmapsRootsAndSaveArea_ofADebugTd() {
        assertThat(read(debug, Leaf.MNG_RD, MSR_BITMAPS)).isEqualTo(~(1L << 0x10));
        assertThat(read(debug, Leaf.MNG_RD, MSR_BITMAPS + 256)).isEqualTo(-1);
        assertThat(read(debug, Leaf.MNG_RD, MSR_BITMAPS + 1)).isEqualTo(~(3L << 8));
        assertThat(read(debug, Leaf.MNG_RD, SEPT_ROOT) & 7).as("table").isEqualTo(7);
        assertThat(read(debug, Leaf.MNG_RD, XBUFF_SIZE)).isEqualTo(576);
    }

    @Test
    void vmControls_areStored_evenWithoutL2Vms() {
        write(production, Leaf.MNG_WR, VM_CTLS + 2, 0x5, 0xF);
        assertThat(read(production, Leaf.MNG_RD, VM_CTLS + 2)).isEqualTo(5);
        assertThat(refused(production, Leaf.MNG_WR, VM_CTLS, 0x10, 0x1F))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        assertThat(refused(production, Leaf.MNG_WR, NOTIFY_ENABLES, 1, 1))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE);
        write(debug, Leaf.MNG_WR, NOTIFY_ENABLES, 1, 1);
    }

    @Test
    void vcpuAfterInit_standsAtTheResetVector() {
        assertThat(read(debug, Leaf.VP_RD, RIP)).isEqualTo(0xFFFF_FFF0L);
        assertThat(read(debug, Leaf.VP_RD, CS_RIGHTS)).isEqualTo(0xC09B);
        assertThat(read(debug, Leaf.VP_RD, EFER)).isEqualTo(0x901);
        assertThat(read(debug, Leaf.VP_RD, CR0)).isEqualTo(0x21);
        assertThat(read(debug, Leaf.VP_RD, CR4)).isEqualTo(0x2040);
        assertThat(read(debug, Leaf.VP_RD, PIN_BASED)).isEqualTo(0x3F);
        assertThat(read(debug, Leaf.VP_RD, XBUFF + 65)).isEqualTo(1L << 63);
        assertThat(read(production, Leaf.VP_RD, VECTOR)).isEqualTo(0xFFFF);
        assertThat(read(production, Leaf.VP_RD, DESCRIPTOR)).isEqualTo(-1);
        long zeroPage = read(production, Leaf.MNG_RD, TDCX + 4);
        assertThat(read(production, Leaf.VP_RD, SHARED_EPTP)).isEqualTo(zeroPage);
        // Both as the CPU addresses them: with the KeyID.
        long keyId = zeroPage & KEY_ID_BITS;
        assertThat(keyId).isNotZero();
        assertThat(read(production, Leaf.VP_RD, TDVPS_PAGE))
                .isEqualTo(production.vcpus()[0] | keyId);
        // The upper half of a VMCS field has an encoding of its own, which the module refuses.
        assertThat(refused(debug, Leaf.VP_RD, RIP + 1, 0, 0))
                .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT);
    }

    @Test
    void sharedEptPointer_isASharedPage() {
        write(production, Leaf.VP_WR, SHARED_EPTP, 0x8000_5000L, 0x000F_FFFF_FFFF_F000L);
        assertThat(read(production, Leaf.VP_RD, SHARED_EPTP)).isEqualTo(0x8000_5000L);
        // All bits asked for: those that cannot be written must stay what is read.
        assertThat(refused(production, Leaf.VP_WR, SHARED_EPTP, 0x8000_5007L, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        long privateKey = 0x8000_5000L | 1L << 51;
        assertThat(refused(production, Leaf.VP_WR, SHARED_EPTP, privateKey, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        assertThat(refused(production, Leaf.VP_WR, SHARED_EPTP, 0x1000, 0xFFF))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE);
    }

    @Test
    void postedInterrupts_needVectorAndDescriptorFirst() {
        long enable = 1 << 7;
        assertThat(call(production, Leaf.VP_WR, 0, PIN_BASED, enable, enable))
                .isEqualTo(StatusCode.TD_VMCS_FIELD_NOT_INITIALIZED.withDetail(2));
        assertThat(refused(production, Leaf.VP_WR, VECTOR, 0x100, 0xFFFF))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        write(production, Leaf.VP_WR, VECTOR, 0xF2, 0xFFFF);
        assertThat(regs.r8()).isEqualTo(0xFFFF);
        assertThat(call(production, Leaf.VP_WR, 0, PIN_BASED, enable, enable))
                .isEqualTo(StatusCode.TD_VMCS_FIELD_NOT_INITIALIZED.withDetail(0x2016));
        assertThat(refused(production, Leaf.VP_WR, DESCRIPTOR, 0x8000_0040L | 1L << 51, -64))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        write(production, Leaf.VP_WR, DESCRIPTOR, 0x8000_0040L, -1);
        assertThat(read(production, Leaf.VP_RD, DESCRIPTOR)).isEqualTo(0x8000_0040L);
        write(production, Leaf.VP_WR, PIN_BASED, enable, enable);
        assertThat(read(production, Leaf.VP_RD, PIN_BASED)).isEqualTo(enable);
    }

    @Test
    void pendingNmi_staysUntilTheGuestCanTakeIt() {
        write(production, Leaf.VP_WR, PEND_NMI, 1, 1);
        assertThat(read(production, Leaf.VP_RD, PEND_NMI)).isEqualTo(1);
        production.enter(
                GuestRig.once(cpu -> {
                    assertThat(cpu.vmExit(8, 0, 0, 0)).isEqualTo(Outcome.EXCEPTION);
                    assertThat(cpu.vmExit(8, 0, 0, 0)).isEqualTo(Outcome.DONE);
                }));
        assertThat(read(production, Leaf.VP_RD, PEND_NMI)).isZero();
    }

    @Test
    void debugger_writesRegisters_withinWhatTheModuleOwns() {
        write(debug, Leaf.VP_WR, RSI, 0x1234, -1);
        assertThat(read(debug, Leaf.VP_RD, RSI)).isEqualTo(0x1234);
        assertThat(refused(production, Leaf.VP_WR, RSI, 0x1234, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE);
        write(debug, Leaf.VP_WR, RIP, 0x40_0000, -1);
        assertThat(read(debug, Leaf.VP_RD, RIP)).isEqualTo(0x40_0000);
        // Paging on: long mode becomes active. PE cannot be taken away.
        write(debug, Leaf.VP_WR, CR0, 0x8000_0021L, -1);
        assertThat(read(debug, Leaf.VP_RD, EFER)).isEqualTo(0xD01);
        assertThat(refused(debug, Leaf.VP_WR, CR0, 0x20, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        assertThat(refused(debug, Leaf.VP_WR, CR3, 1L << 47, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        write(debug, Leaf.VP_WR, CR3, 0x5000, -1);
        assertThat(refused(debug, Leaf.VP_WR, SECONDARY, 1 << 17, 1 << 17))
                .as("page modification logging without a log")
                .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID);
        assertThat(refused(debug, Leaf.VP_WR, XBUFF + 65, 0, -1))
                .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE);
        write(debug, Leaf.VP_WR, XBUFF + 5, 77, -1);
        assertThat(read(debug, Leaf.VP_RD, XBUFF + 5)).isEqualTo(77);
    }

    @Test
    void guest_writesItsCpuidControls_untilTheyAreLocked() {
        production.enter(
                GuestRig.once(cpu -> {
                    assertThat(guestWrite(cpu, CPUID_CONTROL + 7, 3, 3)).isZero();
                    assertThat(guestWrite(cpu, CPUID_USER_VE, 1, 1)).isZero();
                    assertThat(guestWrite(cpu, CPUID_CONTROL, 4, 4))
                            .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE.word());
                    assertThat(guestWrite(cpu, RSI, 4, -1))
                            .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE.word());
                    cpu.gprs().clear().rax(TdcallLeaf.VM_WR.number()).rdx(TD_CTLS);
                    cpu.gprs().r8(TdControls.LOCK).r9(TdControls.LOCK);
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
                    assertThat(guestWrite(cpu, CPUID_CONTROL + 7, 3, 3)).isZero();
                    assertThat(guestWrite(cpu, CPUID_CONTROL + 7, 1, 3))
                            .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID.word());
                    assertThat(GuestRig.tdcall(cpu, TdcallLeaf.VP_CPUIDVE_SET, 2, 0)).isZero();
                }));
        assertThat(read(production, Leaf.VP_RD, CPUID_USER_VE)).isEqualTo(1);
    }

    private static long guestWrite(GuestMode cpu, long id, long data, long mask) {
        Registers gprs = cpu.gprs().clear();
        gprs.rax(TdcallLeaf.VP_WR.number()).rdx(id).r8(data).r9(mask);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
        return gprs.rax();
    }
}

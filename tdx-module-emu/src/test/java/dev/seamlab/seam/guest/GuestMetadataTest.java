// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.GlobalField;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Metadata as the guest reads and writes it (facts: sections 2.2 and 6.4). */
class GuestMetadataTest {
    private static final long TD_CTLS = 0x9110_0003_0000_0017L;
    private static final long NOTIFY_ENABLES = 0x9110_0003_0000_0010L;
    private static final long HKID = 0x8110_0001_0000_0001L;
    private static final long NUM_VCPUS = 0x9010_0002_0000_0001L;

    private static long read(GuestMode cpu, TdcallLeaf leaf, int version, long field) {
        cpu.gprs().clear().rax(leaf.number() | (long) version << 16).rdx(field);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
        return cpu.gprs().rax();
    }

    private static long write(GuestMode cpu, long field, long value, long mask) {
        Registers gprs = cpu.gprs().clear();
        gprs.rax(TdcallLeaf.VM_WR.number()).rdx(field).r8(value).r9(mask);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
        return gprs.rax();
    }

    @Test
    void vmRead_fieldOfTheHost_isNotReadable() {
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            assertThat(read(cpu, TdcallLeaf.VM_RD, 0, HKID))
                                    .isEqualTo(StatusCode.METADATA_FIELD_NOT_READABLE.word());
                            assertThat(read(cpu, TdcallLeaf.VM_RD, 0, 0x3F00_0000_0000L))
                                    .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT.word());
                            assertThat(read(cpu, TdcallLeaf.VM_RD, 0, NUM_VCPUS)).isZero();
                            assertThat(cpu.gprs().r8()).isEqualTo(1);
                            assertThat(cpu.gprs().rdx()).isEqualTo(NUM_VCPUS);
                            assertThat(read(cpu, TdcallLeaf.VM_RD, 2, NUM_VCPUS))
                                    .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RAX));
                        }));
    }

    @Test
    void reads_followedByTheirNextIdentifier_walkReadableFieldsOnly() {
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            assertThat(walk(cpu, TdcallLeaf.VM_RD, 1))
                                    .contains(NUM_VCPUS, TD_CTLS)
                                    .doesNotContain(HKID);
                            assertThat(walk(cpu, TdcallLeaf.SYS_RD, 0))
                                    .contains(GlobalField.TDX_FEATURES0.id())
                                    .doesNotContain(GlobalField.MAX_TDMRS.id());
                            walk(cpu, TdcallLeaf.VP_RD, 0);
                        }));
    }

    private static List<Long> walk(GuestMode cpu, TdcallLeaf leaf, int version) {
        assertThat(read(cpu, leaf, version, FieldId.NULL))
                .isEqualTo(StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT.word());
        List<Long> seen = new ArrayList<>();
        long next = cpu.gprs().rdx();
        while (next != FieldId.NULL) {
            seen.add(next);
            assertThat(read(cpu, leaf, version, next)).as("%x", next).isZero();
            next = cpu.gprs().rdx();
        }
        assertThat(seen).doesNotHaveDuplicates().isNotEmpty();
        return seen;
    }

    @Test
    void sysReadAll_writesAListToGuestMemory() {
        GuestRig.Running td = GuestRig.running(0);
        byte[] list = new byte[16];
        td.enter(
                GuestRig.once(cpu -> {
                    Registers gprs = cpu.gprs().clear();
                    gprs.rax(TdcallLeaf.SYS_RDALL.number()).r8(FieldId.NULL);
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
                    assertThat(gprs.rax()).isZero();
                    assertThat(gprs.r8()).isEqualTo(FieldId.NULL);
                    assertThat(cpu.read(0, list, 0, list.length)).isEqualTo(Outcome.DONE);
                }));
        assertThat(list[2]).as("sequences").isPositive();
    }

    @Test
    void sysReadAll_unmappedList_runsAgainWithItsOperands() {
        GuestRig.Running td = GuestRig.running(0);
        int[] runs = new int[1];
        long status =
                td.enter(cpu -> {
                    runs[0]++;
                    Registers gprs = cpu.gprs().clear();
                    gprs.rax(TdcallLeaf.SYS_RDALL.number()).rdx(0x1000).r8(FieldId.NULL);
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.EXITED);
                    assertThat(gprs.r8()).isEqualTo(FieldId.NULL);
                    assertThat(gprs.rax()).isEqualTo(TdcallLeaf.SYS_RDALL.number());
                });
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(runs[0]).isEqualTo(1);
    }

    @Test
    void pendingVeDisable_isTheGuestsOnlyIfFlexible() {
        long bit = TdControls.PENDING_VE_DISABLE;
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu ->
                                assertThat(write(cpu, TD_CTLS, bit, bit))
                                        .isEqualTo(
                                                StatusCode.METADATA_FIELD_VALUE_NOT_VALID.word())));
        GuestRig.Running flexible = GuestRig.running(0, TdConfig.FLAG_FLEXIBLE_PENDING_VE, 1);
        flexible.rig().aug(0x1000, PageInfo.LEVEL_4K);
        long status =
                flexible.enter(cpu -> {
                    assertThat(cpu.touch(0x1000, Access.READ))
                            .isEqualTo(Outcome.VIRTUALIZATION_EXCEPTION);
                    assertThat(write(cpu, TD_CTLS, bit, bit)).isZero();
                    assertThat(cpu.touch(0x1000, Access.READ)).isEqualTo(Outcome.EXITED);
                });
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
    }

    @Test
    void tdControls_locked_acceptOnlyWhatTheyAre() {
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            long lock = TdControls.LOCK;
                            assertThat(write(cpu, TD_CTLS, lock, lock)).isZero();
                            assertThat(write(cpu, TD_CTLS, lock, lock)).isZero();
                            assertThat(write(cpu, TD_CTLS, 0, lock))
                                    .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID.word());
                        }));
    }

    @Test
    void topology_withoutX2apicIds_isRefused() {
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            long reduce = TdControls.REDUCE_VE;
                            assertThat(write(cpu, TD_CTLS, reduce, reduce))
                                    .isEqualTo(StatusCode.METADATA_FIELD_VALUE_NOT_VALID.word());
                        }));
    }

    @Test
    void vmWrite_returnsTheOldValue_andRefusesReadOnlyFields() {
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            assertThat(write(cpu, NOTIFY_ENABLES, 1, 1)).isZero();
                            assertThat(cpu.gprs().r8()).isZero();
                            assertThat(write(cpu, NOTIFY_ENABLES, 0, 1)).isZero();
                            assertThat(cpu.gprs().r8()).isEqualTo(1);
                            assertThat(write(cpu, NUM_VCPUS, 5, -1))
                                    .isEqualTo(StatusCode.METADATA_FIELD_NOT_WRITABLE.word());
                        }));
    }

    @Test
    void veInfo_fromVersionToVersion_tellsMore() {
        int hlt = 12;
        int cpuid = 10;
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu -> {
                            assertThat(veInfo(cpu, 2))
                                    .isEqualTo(StatusCode.NO_VALID_VE_INFO.word());
                            assertThat(cpu.gprs().r11()).isEqualTo(5);
                            assertThat(cpu.gprs().r12()).isEqualTo(6);
                            cpu.vmExit(hlt, 0, 0, 0);
                            assertThat(veInfo(cpu, 3))
                                    .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RAX));
                            assertThat(veInfo(cpu, 2)).isZero();
                            assertThat(cpu.gprs().rcx()).isEqualTo(hlt | 0x11L << 32);
                            assertThat(cpu.gprs().r11() | cpu.gprs().r12()).isZero();
                            cpu.vmExit(cpuid, 0, 0, 0);
                            assertThat(veInfo(cpu, 1)).isZero();
                            assertThat(cpu.gprs().rcx()).isEqualTo(cpuid | 0x10L << 32);
                            assertThat(cpu.gprs().r11()).isEqualTo(5);
                            cpu.vmExit(hlt, 0, 0, 0);
                            assertThat(veInfo(cpu, 0)).isZero();
                            assertThat(cpu.gprs().rcx()).isEqualTo(hlt);
                        }));
    }

    private static long veInfo(GuestMode cpu, int version) {
        Registers gprs = cpu.gprs().clear().r11(5).r12(6);
        gprs.rax(TdcallLeaf.VP_VEINFO_GET.number() | (long) version << 16);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
        return gprs.rax();
    }

    @Test
    void addressWiderThanTheGuests_isAPageFault_orAnExceptionOfItsOwnCategory() {
        long wide = 1L << 50;
        GuestRig.running(0)
                .enter(
                        GuestRig.once(cpu ->
                                assertThat(cpu.touch(wide, Access.READ))
                                        .isEqualTo(Outcome.EXCEPTION)));
        GuestRig.running(0, TdConfig.FLAG_MAXGPA_VIRT, 1)
                .enter(
                        GuestRig.once(cpu -> {
                            assertThat(cpu.touch(wide, Access.READ))
                                    .isEqualTo(Outcome.VIRTUALIZATION_EXCEPTION);
                            assertThat(veInfo(cpu, 1)).isZero();
                            assertThat(cpu.gprs().rcx())
                                    .isEqualTo(ExitReason.EPT_VIOLATION | 2L << 32);
                            assertThat(cpu.gprs().r9()).isEqualTo(wide);
                        }));
    }

    @Test
    void sysReadAll_fromAFieldOfTheHost_goesOnWithTheNextOfTheGuest() {
        GuestRig.Running td = GuestRig.running(0);
        byte[] list = new byte[16];
        td.enter(
                GuestRig.once(cpu -> {
                    Registers gprs = cpu.gprs().clear();
                    gprs.rax(TdcallLeaf.SYS_RDALL.number()).r8(GlobalField.NUM_CMRS.id());
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
                    assertThat(gprs.rax()).isZero();
                    assertThat(cpu.read(0, list, 0, list.length)).isEqualTo(Outcome.DONE);
                }));
        long first =
                java.nio.ByteBuffer.wrap(list).order(java.nio.ByteOrder.LITTLE_ENDIAN).getLong(8);
        assertThat(FieldId.code(first)).isZero();
        assertThat(FieldId.fieldClass(first))
                .isEqualTo(FieldId.fieldClass(GlobalField.MIG_ATTRIBUTES.id()));
    }
}

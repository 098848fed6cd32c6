// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.guest.GuestSeat;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.ModuleAnswer;
import dev.seamlab.kvm.TdConfig;
import dev.seamlab.machine.Addresses;
import dev.seamlab.vmm.tdvf.TdHob;
import dev.seamlab.vmm.tdvf.TdvfImage;
import dev.seamlab.vmm.tdvf.TdvfSection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Drives the KVM_TDX_* steps of one TD in the order of the kernel's documentation (facts: Linux
 * sheet section 4.9). Says why it stopped; taking back what was built is the caller's business.
 */
final class TdBuilder {
    /** x87, SSE and AVX, where the CPU has them. */
    private static final long USUAL_XFAM = 0x7;

    /** MRTD in the TDCS: six words (facts: module ABI section 6.4). */
    private static final long FIELD_MRTD = 0x1310_0003_0000_0000L;

    private static final int MRTD_WORDS = 6;

    /** Pages between two looks at whether the build is still wanted. */
    private static final long PAGES_AT_ONCE = 64;

    private final TdxHost host;
    private final KvmTdx vm;
    private final TrustDomainSpec spec;
    private final GuestLayout layout;
    private final BooleanSupplier cancelled;
    private final List<KvmVcpu> vcpus = new ArrayList<>();
    private final List<GuestSeat> seats = new ArrayList<>();
    private String mrtd = "";

    TdBuilder(TdxHost host, KvmTdx vm, TrustDomainSpec spec, BooleanSupplier cancelled) {
        this.host = host;
        this.vm = vm;
        this.spec = spec;
        this.cancelled = cancelled;
        this.layout = new GuestLayout(spec.memoryBytes(), spec.firmware(), spec.gpaWidth());
    }

    GuestLayout layout() {
        return layout;
    }

    List<KvmVcpu> vcpus() {
        return vcpus;
    }

    List<GuestSeat> seats() {
        return seats;
    }

    String mrtd() {
        return mrtd;
    }

    /** Memslots, control structures and vCPUs. Null on success. */
    @Nullable Refusal buildStructures() {
        for (Range range : layout.all()) {
            int result = vm.addMemslot(range.start(), range.size());
            if (result != Errno.OK) {
                return refusal("KVM_SET_USER_MEMORY_REGION2", result, "a memslot");
            }
        }
        long xfam = (USUAL_XFAM & host.info().xfamFixed0()) | host.info().xfamFixed1();
        int result = vm.initVm(new TdConfig(spec.attributes(), xfam, spec.gpaWidth()));
        if (result != Errno.OK) {
            return result == Errno.ENOSPC
                    ? new Refusal.NoKeyId(host.keyIds().total())
                    : refusal("KVM_TDX_INIT_VM", result, "the TD's control pages");
        }
        for (int i = 0; i < spec.vcpus(); i++) {
            if (cancelled.getAsBoolean()) {
                return new Refusal.Cancelled("KVM_TDX_INIT_VCPU");
            }
            KvmVcpu vcpu = vm.createVcpu();
            if (vcpu == null) {
                throw new AssertionError("vCPU " + i + " is more than KVM was told of");
            }
            result = vcpu.init(spec.firmware().hob().memoryAddress());
            if (result != Errno.OK) {
                return refusal("KVM_TDX_INIT_VCPU", result, "a vCPU's control pages");
            }
            vcpus.add(vcpu);
        }
        return null;
    }

    /** Initial memory, measurement and finalisation. Null on success. */
    @Nullable Refusal buildMemory() {
        for (Range range : layout.all()) {
            int result = vm.setMemoryAttributes(range.start(), range.size(), true);
            if (result != Errno.OK) {
                return refusal("KVM_SET_MEMORY_ATTRIBUTES", result, "memory attributes");
            }
        }
        TdvfImage image = spec.firmware();
        for (TdvfSection section : image.sections()) {
            Refusal refusal = addSection(image, section);
            if (refusal != null) {
                return refusal;
            }
        }
        int result = vm.finalizeVm();
        if (result != Errno.OK) {
            return refusal("KVM_TDX_FINALIZE_VM", result, "");
        }
        long[] words = vm.readFields(FIELD_MRTD, MRTD_WORDS);
        if (words.length != MRTD_WORDS) {
            return refusal("reading MRTD", Errno.EIO, "");
        }
        mrtd = hex(words);
        for (KvmVcpu vcpu : vcpus) {
            GuestSeat seat =
                    new GuestSeat(
                            new ProgramRunner(
                                    spec.workload()
                                            .compile(
                                                    layout.guestMemory(),
                                                    vcpu.index(),
                                                    vcpus.size()),
                                    layout.guestMemory(),
                                    vcpu.index()));
            seats.add(seat);
            vcpu.bindGuest(seat);
        }
        return null;
    }

    private @Nullable Refusal addSection(TdvfImage image, TdvfSection section) {
        KvmVcpu.PageSource source = contents(image, section);
        long pages = section.memorySize() >>> Addresses.PAGE_SHIFT;
        for (long done = 0; done < pages; done += PAGES_AT_ONCE) {
            if (cancelled.getAsBoolean()) {
                return new Refusal.Cancelled("KVM_TDX_INIT_MEM_REGION");
            }
            long first = done;
            int result =
                    vcpus.getFirst()
                            .initMemRegion(
                                    section.memoryAddress() + (first << Addresses.PAGE_SHIFT),
                                    Math.min(PAGES_AT_ONCE, pages - first),
                                    section.isMeasured(),
                                    (page, into) -> source.copy(first + page, into));
            if (result != Errno.OK) {
                return refusal("KVM_TDX_INIT_MEM_REGION", result, "a page of " + section.type());
            }
        }
        return null;
    }

    private KvmVcpu.PageSource contents(TdvfImage image, TdvfSection section) {
        if (section.type() != TdvfSection.Type.TD_HOB) {
            return (page, into) -> image.copyPage(section, page, into);
        }
        byte[] list = TdHob.write(section.memoryAddress(), section.memorySize(), layout.hob());
        return (page, into) -> {
            int from = (int) Math.min(page << Addresses.PAGE_SHIFT, list.length);
            int length = Math.min(list.length - from, into.length);
            Arrays.fill(into, (byte) 0);
            System.arraycopy(list, from, into, 0, length);
        };
    }

    private static String hex(long[] words) {
        StringBuilder text = new StringBuilder();
        HexFormat hex = HexFormat.of();
        for (long word : words) {
            text.append(hex.toHexDigits(Long.reverseBytes(word)));
        }
        return text.toString();
    }

    private Refusal refusal(String step, int errno, String what) {
        if (errno == Errno.ENOMEM) {
            return new Refusal.NoMemory(what);
        }
        ModuleAnswer answer = vm.lastAnswer();
        if (answer != null) {
            return new Refusal.ModuleRefused(step, answer.leaf().abiName(), answer.status());
        }
        return new Refusal.HostError(step, Errno.name(errno), "see the kernel log");
    }
}

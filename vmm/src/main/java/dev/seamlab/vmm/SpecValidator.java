// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestMemory;
import dev.seamlab.guest.GuestProgram;
import dev.seamlab.guest.Op;
import dev.seamlab.host.TdxHost;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.vmm.tdvf.TdHob;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Says what is wrong with a specification on a host, all at once, before anything is touched. */
final class SpecValidator {
    private static final Pattern ID = Pattern.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?");

    /** Attributes whose effect the model has. The module would take more. */
    private static final long MODELLED_ATTRIBUTES =
            TdParams.ATTRIBUTE_DEBUG | TdParams.ATTRIBUTE_SEPT_VE_DISABLE;

    private final TdxHost host;
    private final List<Violation> bad = new ArrayList<>();

    SpecValidator(TdxHost host) {
        this.host = host;
    }

    List<Violation> check(TrustDomainSpec spec) {
        if (!ID.matcher(spec.id()).matches()) {
            add(
                    "id",
                    "\""
                            + spec.id()
                            + "\" must start with a lower-case letter and go on with lower-case"
                            + " letters, digits and hyphens, at most 63 in all, not ending in a"
                            + " hyphen");
        }
        checkVcpus(spec);
        checkAttributes(spec);
        boolean widthGood = spec.gpaWidth() == 48 || spec.gpaWidth() == 52;
        if (!widthGood) {
            add("gpa_width", "is " + spec.gpaWidth() + ", must be 48 or 52");
        }
        if (checkMemory(spec) && widthGood) {
            checkHob(spec);
            checkWorkload(spec);
        }
        return List.copyOf(bad);
    }

    private void checkVcpus(TrustDomainSpec spec) {
        int most = Math.min(host.info().maxVcpusPerTd(), host.cpus().all().size());
        if (spec.vcpus() < 1 || spec.vcpus() > most) {
            add(
                    "vcpus",
                    "is "
                            + spec.vcpus()
                            + ", must be 1 to "
                            + most
                            + " (the host's CPUs, and what the module allows)");
        }
    }

    private void checkAttributes(TrustDomainSpec spec) {
        long settable = host.info().attributesFixed0() & MODELLED_ATTRIBUTES;
        if ((spec.attributes() & ~settable) != 0) {
            add(
                    "attributes",
                    "0x"
                            + Long.toHexString(spec.attributes())
                            + " has bits that cannot be set here; possible are 0x"
                            + Long.toHexString(settable));
        }
    }

    private boolean checkMemory(TrustDomainSpec spec) {
        long memory = spec.memoryBytes();
        long least = spec.firmware().lowRamEnd();
        long most = host.pages().totalPages() << Addresses.PAGE_SHIFT;
        if (memory <= 0 || !Addresses.isAligned(memory, Addresses.PAGE_SIZE)) {
            add("memory_bytes", "is " + memory + ", must be a positive multiple of 4096");
        } else if (memory < least) {
            add(
                    "memory_bytes",
                    "is "
                            + memory
                            + ", but firmware "
                            + spec.firmware().name()
                            + " needs at least "
                            + least);
        } else if (memory > most) {
            add(
                    "memory_bytes",
                    "is " + memory + ", but the host has only " + most + " bytes in all");
        } else {
            return true;
        }
        return false;
    }

    private void checkHob(TrustDomainSpec spec) {
        int need = TdHob.bytesFor(GuestLayout.hobPieces(spec.memoryBytes(), spec.firmware()));
        long room = spec.firmware().hob().memorySize();
        if (need > room) {
            add(
                    "firmware",
                    "its TD_HOB section has "
                            + room
                            + " bytes, the memory description needs "
                            + need);
        }
    }

    private void checkWorkload(TrustDomainSpec spec) {
        if (spec.workload() instanceof GuestProgram program) {
            for (Op op : program.ops()) {
                checkOp(op, spec);
            }
        }
    }

    private void checkOp(Op op, TrustDomainSpec spec) {
        switch (op) {
            case Op.Touch(var range, var _, var _) -> checkRange(range, spec);
            case Op.Accept(var range, var _) -> checkRange(range, spec);
            case Op.Use(var range, var _) -> checkRange(range, spec);
            case Op.Walk walk -> checkRange(walk.range(), spec);
            case Op.MapGpa(var range, var _) -> checkRange(range, spec);
            case Op.Report(var gpa) ->
                    checkRange(new GuestMemory.Range(gpa, gpa + Addresses.PAGE_SIZE), spec);
            case Op.Loop(var _, var body) -> body.forEach(inner -> checkOp(inner, spec));
            case Op.OnVcpu(var vcpu, var body) -> {
                if (vcpu >= spec.vcpus()) {
                    add(
                            "program",
                            "@"
                                    + vcpu
                                    + " names a vCPU that the TD does not have; it has "
                                    + spec.vcpus()
                                    + ", numbered from 0");
                }
                body.forEach(inner -> checkOp(inner, spec));
            }
            case Op.RtmrExtend _, Op.Halt _, Op.Spin _, Op.FatalError _, Op.Shutdown _ -> {
                // No address in it.
            }
        }
    }

    private void checkRange(GuestMemory.Range range, TrustDomainSpec spec) {
        long limit = 1L << (spec.gpaWidth() - 1);
        if (range.end() > limit) {
            add(
                    "program",
                    Addresses.show(range.start())
                            + ".."
                            + Addresses.show(range.end())
                            + " reaches the shared bit of "
                            + spec.gpaWidth()
                            + "-bit addresses; private addresses end at "
                            + Addresses.show(limit));
        }
    }

    private void add(String field, String description) {
        bad.add(new Violation(field, description));
    }
}

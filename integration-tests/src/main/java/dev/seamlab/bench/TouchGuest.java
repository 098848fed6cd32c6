// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdcallLeaf;

/** A guest that accepts and writes one page after the other, then wants out. Allocates nothing. */
final class TouchGuest implements GuestCode {
    private final KvmVcpu vcpu;
    private int[] gfns = {};
    private int next;
    private int to;
    private int step = 1;
    private boolean accepted;
    private int done;

    TouchGuest(KvmVcpu vcpu) {
        this.vcpu = vcpu;
    }

    /** What to touch when the vCPU runs next: places of an order. */
    void plan(int[] pages, Shape.Share share) {
        gfns = pages;
        next = share.from();
        to = share.to();
        step = share.step();
        done = 0;
    }

    /** Pages accepted and written since {@link #plan}. */
    int done() {
        return done;
    }

    @Override
    public void step(GuestMode cpu) {
        if (next >= to) {
            vcpu.requestExit();
            return;
        }
        long gpa = Addresses.gpa(gfns[next]);
        if (!accepted) {
            cpu.gprs().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(gpa);
            if (cpu.tdcall() != GuestMode.Outcome.DONE) {
                return; // an EPT violation: the same again after the next entry
            }
            if (cpu.gprs().rax() != Status.SUCCESS) {
                throw new IllegalStateException("ACCEPT: " + Status.show(cpu.gprs().rax()));
            }
            accepted = true;
        }
        if (cpu.touch(gpa, GuestMode.Access.WRITE) == GuestMode.Outcome.DONE) {
            accepted = false;
            next += step;
            done++;
        }
    }
}

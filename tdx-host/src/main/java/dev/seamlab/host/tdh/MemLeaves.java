// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;

/**
 * TDH.MEM.*: a TD's private memory and its Secure EPT. Operands: facts, module ABI section 1.6.
 * Levels as in {@link PageInfo}. After a failure RCX and RDX hold the details of the Secure EPT
 * entry, where the leaf got that far.
 */
public final class MemLeaves {
    private final Seamcall seamcall;

    MemLeaves(Seamcall seamcall) {
        this.seamcall = seamcall;
    }

    /** Links a page into the Secure EPT so that it maps the level below {@code level}. */
    public long septAdd(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level, @Hpa long page) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr).r8(page);
        return seamcall.call(cpu, Leaf.MEM_SEPT_ADD);
    }

    /** Takes an empty page out of the Secure EPT. Out: RCX the page. */
    public long septRemove(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_SEPT_REMOVE);
    }

    /** Reads an entry of the Secure EPT. Out: RCX entry, RDX level and state. */
    public long septRd(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_SEPT_RD);
    }

    /** Adds a page with the contents of {@code source} while the TD is being built. */
    public long pageAdd(
            HostCpu cpu, @Hpa long tdr, @Gpa long gpa, @Hpa long page, @Hpa long source) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, PageInfo.LEVEL_4K)).rdx(tdr).r8(page).r9(source);
        return seamcall.call(cpu, Leaf.MEM_PAGE_ADD);
    }

    /** Adds a pending page to a running TD; the guest has to accept it. */
    public long pageAug(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level, @Hpa long page) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr).r8(page);
        return seamcall.call(cpu, Leaf.MEM_PAGE_AUG);
    }

    /** Takes a blocked and tracked page away. Out: RCX the page, bit 62 the removal hint. */
    public long pageRemove(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_PAGE_REMOVE);
    }

    /** Blocks new translations of a range. */
    public long rangeBlock(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_RANGE_BLOCK);
    }

    /** Allows translations of a blocked range again. */
    public long rangeUnblock(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_RANGE_UNBLOCK);
    }

    /**
     * Splits a 2M leaf into 512 leaves behind a new Secure EPT page.
     *
     * @param page0 first page of the pair for the leaf's range; only with Dynamic PAMT
     * @param page1 second page of the pair
     */
    public long pageDemote(
            HostCpu cpu,
            @Hpa long tdr,
            @Gpa long gpa,
            @Hpa long septPage,
            @Hpa long page0,
            @Hpa long page1) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, PageInfo.LEVEL_2M)).rdx(tdr).r8(septPage);
        // No L2 VMs, so no Secure EPT pages for them.
        cpu.regs().r9(PageInfo.NULL_PAGE).r10(PageInfo.NULL_PAGE).r11(PageInfo.NULL_PAGE);
        cpu.regs().r12(page0).r13(page1);
        return seamcall.call(cpu, Leaf.MEM_PAGE_DEMOTE);
    }

    /**
     * Merges the 512 pages behind a blocked and tracked entry into one leaf. Out: RCX the freed
     * Secure EPT page; with Dynamic PAMT and a 2M leaf R12 and R13, the pair that is free again.
     */
    public long pagePromote(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, int level) {
        cpu.regs().rcx(PageInfo.ofGpa(gpa, level)).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_PAGE_PROMOTE);
    }

    /** Reads eight bytes of a debug TD's private memory. Out: R8 what stands there. */
    public long rd(HostCpu cpu, @Hpa long tdr, @Gpa long gpa) {
        cpu.regs().rcx(gpa).rdx(tdr);
        return seamcall.call(cpu, Leaf.MEM_RD);
    }

    /** Writes eight bytes of a debug TD's private memory. Out: R8 what stood there. */
    public long wr(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, long value) {
        cpu.regs().rcx(gpa).rdx(tdr).r8(value);
        return seamcall.call(cpu, Leaf.MEM_WR);
    }

    /** Advances the TD's TLB epoch. */
    public long track(HostCpu cpu, @Hpa long tdr) {
        cpu.regs().rcx(tdr);
        return seamcall.call(cpu, Leaf.MEM_TRACK);
    }
}

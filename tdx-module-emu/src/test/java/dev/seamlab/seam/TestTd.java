// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;

/**
 * A finalised TD with one vCPU, its pages in the first 2M range of the test machine's TDMR. With
 * Dynamic PAMT that range and the next one are backed.
 */
public final class TestTd {
    private static final int HKID = 0x21;
    private static final long PAIRS = TestModule.BASE + 64 * Addresses.RANGE_SIZE;

    private final TestModule module;
    private long nextPage = TestModule.BASE;
    private final long tdr;
    private final long tdvpr;

    private TestTd(TestModule module) {
        this(module, 0, 0, PageInfo.LEVEL_512G + 1);
    }

    private TestTd(TestModule module, long attributes, long configFlags, int levels) {
        this.module = module;
        if (module.module().view().dynamicPamt()) {
            back(TestModule.BASE, 0);
            back(TestModule.BASE + Addresses.RANGE_SIZE, 1);
        }
        tdr = page();
        ok(Leaf.MNG_CREATE, tdr, HKID, 0);
        ok(Leaf.MNG_KEY_CONFIG, tdr, 0, 0);
        for (int i = 0; i < 6; i++) {
            ok(Leaf.MNG_ADDCX, page(), tdr, 0);
        }
        ok(Leaf.MNG_INIT, tdr, params(attributes, configFlags, levels), 0);
        tdvpr = page();
        ok(Leaf.VP_CREATE, tdvpr, tdr, 0);
        for (int i = 0; i < 5; i++) {
            ok(Leaf.VP_ADDCX, page(), tdvpr, 0);
        }
        ok(Leaf.VP_INIT, tdvpr, 0, 0);
    }

    /** Built and finalised. */
    public static TestTd runnable(TestModule module) {
        TestTd td = new TestTd(module);
        td.ok(Leaf.MR_FINALIZE, td.tdr, 0, 0);
        return td;
    }

    /** Being built: nothing is tracked yet. */
    public static TestTd building(TestModule module) {
        return new TestTd(module);
    }

    /**
     * Being built, with a configuration.
     *
     * @param levels levels of the Secure EPT, 4 or 5
     */
    public static TestTd building(
            TestModule module, long attributes, long configFlags, int levels) {
        return new TestTd(module, attributes, configFlags, levels);
    }

    public long tdr() {
        return tdr;
    }

    public long tdvpr() {
        return tdvpr;
    }

    /** Adds the tables down to the entries of 4K pages around a guest address. */
    public void addTables(long gpa) {
        for (int level = PageInfo.LEVEL_512G; level >= PageInfo.LEVEL_2M; level--) {
            long base = Addresses.alignDown(gpa, PageInfo.sizeOf(level));
            ok(Leaf.MEM_SEPT_ADD, PageInfo.ofGpa(base, level), tdr, page());
        }
    }

    /** A call that must succeed. */
    public void ok(Leaf leaf, long rcx, long rdx, long r8) {
        long status = module.call(leaf, rcx, rdx, r8);
        if (status != Status.SUCCESS) {
            throw new AssertionError(leaf + " failed: " + Status.show(status));
        }
    }

    private void back(long range, int pair) {
        long page = PAIRS + 2L * pair * Addresses.PAGE_SIZE;
        ok(
                Leaf.PHYMEM_PAMT_ADD,
                PageInfo.ofHpa(range, PageInfo.LEVEL_2M),
                page,
                page + Addresses.PAGE_SIZE);
    }

    /** A fresh page. */
    public long page() {
        long page = nextPage;
        nextPage += Addresses.PAGE_SIZE;
        return page;
    }

    private long params(long attributes, long configFlags, int levels) {
        var memory = module.machine().memory();
        long at = TestModule.BUFFER + 0x2000;
        memory.write(at, new byte[TdParams.SIZE], 0, TdParams.SIZE);
        memory.writeLong(at + TdParams.XFAM, 0x3);
        memory.writeShort(at + TdParams.MAX_VCPUS, 4);
        memory.writeLong(at + TdParams.ATTRIBUTES, attributes);
        memory.writeLong(at + TdParams.CONFIG_FLAGS, configFlags);
        memory.writeLong(at + TdParams.EPTP_CONTROLS, TdParams.eptpControls(levels));
        memory.writeShort(at + TdParams.TSC_FREQUENCY, 84);
        return at;
    }
}

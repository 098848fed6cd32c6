// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.Sweeps.Point;
import dev.seamlab.kvm.Sweeps.Variant;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each SEAMCALL of a whole life is refused once: with BUSY, and with a status that KVM does not
 * expect. What user space is told, what is given up on purpose, and that nothing else is lost, all
 * that is in {@link #RULES}.
 */
@Timeout(600)
class SeamcallSweepTest {
    /** What comes of a refusal. */
    private enum Outcome {
        /** Repeated, by KVM or by a user space that was told EBUSY: the life goes on to its end. */
        REPEATED,
        /** Told EIO, and the VM is bugged; all of it comes back. */
        BUGGED,
        /** As that, but what the module may still own is given up. */
        MAY_LEAK,
        /** A page that is the module's for ever, told at once or by the report of the teardown. */
        LEAKED,
        /** The KeyID is lost, and all pages with it. */
        KEY_LOST,
        /** As that, but refused to TERMINATE_VM it is had back when the VM is destroyed. */
        KEY_LATE,
        /** No backing: EIO; or ENOMEM where a control page was wanted, and then again. */
        UNBACKED,
        /** Nobody is told: a pair stays behind, and a count with it. */
        PAIR_KEPT
    }

    /** Leaf, what comes of BUSY, and what comes of any other refusal. */
    private static final String RULES =
            """
            MNG_CREATE           BUGGED     BUGGED
            MNG_KEY_CONFIG       BUGGED     BUGGED
            MNG_ADDCX            BUGGED     BUGGED
            MNG_INIT             BUGGED     BUGGED
            VP_CREATE            BUGGED     BUGGED
            VP_ADDCX             BUGGED     BUGGED
            VP_INIT              BUGGED     BUGGED
            MEM_SEPT_ADD         REPEATED   BUGGED
            MEM_PAGE_ADD         REPEATED   BUGGED
            MR_EXTEND            BUGGED     BUGGED
            MR_FINALIZE          REPEATED   BUGGED
            VP_ENTER             REPEATED   BUGGED
            MEM_PAGE_AUG         REPEATED   BUGGED
            MEM_RANGE_BLOCK      REPEATED   MAY_LEAK
            MEM_TRACK            REPEATED   MAY_LEAK
            MEM_PAGE_REMOVE      REPEATED   LEAKED
            MEM_PAGE_DEMOTE      REPEATED   MAY_LEAK
            MEM_PAGE_PROMOTE     REPEATED   BUGGED
            MEM_RANGE_UNBLOCK    REPEATED   BUGGED
            PHYMEM_PAGE_WBINVD   LEAKED     LEAKED
            PHYMEM_PAGE_RECLAIM  LEAKED     LEAKED
            VP_FLUSH             KEY_LOST   KEY_LOST
            MNG_VPFLUSHDONE      KEY_LATE   KEY_LATE
            PHYMEM_CACHE_WB      REPEATED   KEY_LOST
            MNG_KEY_FREEID       KEY_LOST   KEY_LOST
            PHYMEM_PAMT_ADD      UNBACKED   UNBACKED
            PHYMEM_PAMT_REMOVE   PAIR_KEPT  PAIR_KEPT
            """;

    private static final long BUSY = StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE);
    private static final long UNEXPECTED = StatusCode.TD_FATAL.word();

    @ParameterizedTest
    @MethodSource("dev.seamlab.kvm.Sweeps#variants")
    void anySeamcallOfALifeRefused_isToldAsTheRulesSayAndLosesNothing(Variant variant) {
        int survived = 0;
        int shown = 0;
        for (Point point : Sweeps.pickCalls(Sweeps.points(variant), variant)) {
            for (long status : new long[] {BUSY, UNEXPECTED}) {
                if (refused(variant, point, status)) {
                    survived++;
                } else {
                    shown++;
                }
            }
        }
        Sweeps.figure(variant, survived + " refused SEAMCALLs survived, R-13 " + shown + " times");
        assertThat(survived).isPositive();
        assertThat(shown == 0 || variant.hasR13()).isTrue();
    }

    /** One life with one refusal. False where the defect R-13 came out, as it has to there. */
    private static boolean refused(Variant variant, Point point, long status) {
        KvmRig rig = new KvmRig(variant.policy(), InterruptModel.NEVER);
        Leaf[] leaf = new Leaf[1];
        String[] step = new String[1];
        WholeLife life = new WholeLife(rig);
        rig.faults.replace(
                null,
                point.nth(),
                1,
                (module, cpu, regs) -> {
                    leaf[0] = Sweeps.leafOf(regs);
                    step[0] = life.now();
                    regs.rax(status);
                    return status;
                });
        String where = variant + ", call " + point + " refused with " + StatusCode.of(status);
        try {
            life.live();
        } catch (IllegalStateException e) {
            assertThat(e).as(where).hasMessageContaining("put without get");
            assertThat(variant.hasR13() && leaf[0] == Leaf.PHYMEM_PAMT_ADD).as(where).isTrue();
            rig.abandon();
            return false;
        } finally {
            rig.faults.clear();
        }
        where += ", in fact " + leaf[0] + " of " + step[0] + ": " + life;
        if (leaf[0] == Leaf.PHYMEM_PAMT_ADD && variant.hasR13()) {
            // Said to be backed and not counted: the module refuses the page, or in the end the
            // pair
            // is asked for while a page of the range is still in use.
            boolean quiet = rig.log.stream().noneMatch(line -> line.contains("PAMT.REMOVE"));
            assertThat(life.reachedItsEnd() && quiet && rig.audit().isEmpty()).as(where).isFalse();
            rig.abandon();
            return false;
        }
        check(rig, life, rule(leaf[0], status == BUSY), step[0], where);
        Sweeps.assertNothingLost(rig, life, where);
        rig.abandon();
        return true;
    }

    private static void check(
            KvmRig rig, WholeLife life, Outcome outcome, String step, String where) {
        boolean atTheEnd = step.equals("destroy") || step.equals("TERMINATE_VM");
        boolean dead = life.told().stream().anyMatch(told -> told.errno() == Errno.EIO);
        switch (outcome) {
            case REPEATED -> {
                assertThat(life.told())
                        .as(where)
                        .allMatch(told -> told.errno() == Errno.EBUSY && told.step().equals(step));
                assertThat(life.reachedItsEnd()).as(where).isTrue();
                assertThat(life.report().isClean()).as(where).isTrue();
            }
            case BUGGED -> {
                toldOnce(life, step, Errno.EIO, where);
                assertThat(life.report().isClean()).as(where).isTrue();
                assertThat(rig.toldOfLeaks()).as(where).isZero();
            }
            case MAY_LEAK -> {
                toldOnce(life, step, Errno.EIO, where);
                assertThat(life.report().keyIdLeaked()).as(where).isFalse();
            }
            case LEAKED -> {
                if (!atTheEnd) {
                    toldOnce(life, step, Errno.EIO, where);
                }
                assertThat(rig.toldOfLeaks()).as(where).isPositive();
                assertThat(life.report().keyIdLeaked()).as(where).isFalse();
            }
            case KEY_LOST -> {
                assertThat(life.report().keyIdLeaked()).as(where).isTrue();
                assertThat(rig.toldOfLeaks()).as(where).isPositive();
            }
            case KEY_LATE -> {
                boolean late = step.equals("TERMINATE_VM");
                assertThat(life.vm().isBugged()).as(where).isTrue();
                assertThat(life.report().keyIdLeaked()).as(where).isEqualTo(!late);
                assertThat(life.report().isClean()).as(where).isEqualTo(late);
            }
            case UNBACKED -> {
                int errno = step.startsWith("INIT_V") ? Errno.ENOMEM : Errno.EIO;
                assertThat(life.told()).as(where).containsExactly(new WholeLife.Told(step, errno));
                assertThat(life.reachedItsEnd()).as(where).isEqualTo(!dead);
            }
            case PAIR_KEPT -> {
                assertThat(life.told()).as(where).isEmpty();
                assertThat(life.reachedItsEnd()).as(where).isTrue();
                assertThat(life.report().isClean()).as(where).isTrue();
            }
        }
    }

    private static void toldOnce(WholeLife life, String step, int errno, String where) {
        assertThat(life.told()).as(where).containsExactly(new WholeLife.Told(step, errno));
        assertThat(life.vm().isDead())
                .as(where)
                .isEqualTo(errno == Errno.EIO || life.reachedItsEnd());
    }

    private static Outcome rule(Leaf leaf, boolean busy) {
        Map<Leaf, Outcome> rules = new EnumMap<>(Leaf.class);
        RULES.lines()
                .map(line -> line.split(" +"))
                .forEach(
                        row -> rules.put(Leaf.valueOf(row[0]), Outcome.valueOf(row[busy ? 1 : 2])));
        Outcome outcome = rules.get(leaf);
        assertThat(outcome).as("a rule for " + leaf).isNotNull();
        return outcome;
    }
}

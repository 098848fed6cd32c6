// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Every status that a leaf may answer, after the facts (module ABI sections 1.3 to 1.6, 4.3, 5 and
 * 9), typed in from there and not from the code.
 */
final class AllowedStatuses {
    /** Groups that the rows below share. */
    private static final Map<String, String> GROUPS =
            Map.of(
                    "PAGE",
                    "OPERAND_INVALID OPERAND_ADDR_RANGE_ERROR OPERAND_BUSY PAGE_METADATA_INCORRECT",
                    "TD",
                    "TD_FATAL TD_KEYS_NOT_CONFIGURED TDCS_NOT_ALLOCATED OP_STATE_INCORRECT",
                    "VCPU",
                    "TDCX_NUM_INCORRECT VCPU_STATE_INCORRECT VCPU_ASSOCIATED",
                    "ENTRY",
                    "EPT_WALK_FAILED EPT_ENTRY_STATE_INCORRECT",
                    "TRACKED",
                    "GPA_RANGE_NOT_BLOCKED TLB_TRACKING_NOT_DONE",
                    "FIELD",
                    "METADATA_FIELD_ID_INCORRECT METADATA_FIELD_NOT_READABLE "
                            + "METADATA_FIRST_FIELD_ID_IN_CONTEXT",
                    "WRITE",
                    "METADATA_FIELD_ID_INCORRECT METADATA_FIELD_NOT_WRITABLE "
                            + "METADATA_FIELD_VALUE_NOT_VALID METADATA_WR_MASK_NOT_VALID");

    private static final String TABLE =
            """
            VP_ENTER             @PAGE @TD @VCPU
            MNG_ADDCX            @PAGE TD_FATAL TD_KEYS_NOT_CONFIGURED TDCX_NUM_INCORRECT OP_STATE_INCORRECT MISSING_PAMT_PAGE_PAIR
            MEM_PAGE_ADD         @PAGE @TD @ENTRY MISSING_PAMT_PAGE_PAIR
            MEM_SEPT_ADD         @PAGE @TD @ENTRY MISSING_PAMT_PAGE_PAIR
            VP_ADDCX             @PAGE @TD VCPU_STATE_INCORRECT TDCX_NUM_INCORRECT MISSING_PAMT_PAGE_PAIR
            MEM_PAGE_RELOCATE    @PAGE @TD @ENTRY @TRACKED MISSING_PAMT_PAGE_PAIR
            MEM_PAGE_AUG         @PAGE @TD @ENTRY MISSING_PAMT_PAGE_PAIR
            MEM_RANGE_BLOCK      @PAGE @TD @ENTRY GPA_RANGE_ALREADY_BLOCKED
            MNG_KEY_CONFIG       @PAGE TD_FATAL LIFECYCLE_STATE_INCORRECT KEY_CONFIGURED
            MNG_CREATE           @PAGE HKID_NOT_FREE MISSING_PAMT_PAGE_PAIR
            VP_CREATE            @PAGE @TD MISSING_PAMT_PAGE_PAIR
            MNG_RD               @PAGE @TD @FIELD
            MEM_RD               @PAGE @TD TD_NON_DEBUG EPT_ENTRY_NOT_PRESENT EPT_ENTRY_STATE_INCORRECT
            MNG_WR               @PAGE @TD @WRITE
            MEM_WR               @PAGE @TD TD_NON_DEBUG EPT_ENTRY_NOT_PRESENT EPT_ENTRY_STATE_INCORRECT
            MEM_PAGE_DEMOTE      @PAGE @TD @ENTRY @TRACKED MISSING_PAMT_PAGE_PAIR PAGE_NOT_FREE INTERRUPTED_RESTARTABLE INTERRUPTED_BUSY
            MR_EXTEND            @PAGE @TD EPT_ENTRY_NOT_PRESENT
            MR_FINALIZE          @PAGE @TD NO_VCPUS
            VP_FLUSH             @PAGE TD_KEYS_NOT_CONFIGURED TDCX_NUM_INCORRECT VCPU_NOT_ASSOCIATED
            MNG_VPFLUSHDONE      @PAGE LIFECYCLE_STATE_INCORRECT FLUSHVP_NOT_DONE
            MNG_KEY_FREEID       @PAGE LIFECYCLE_STATE_INCORRECT WBCACHE_NOT_COMPLETE
            MNG_INIT             @PAGE @TD EVENT_FILTER_INVALID EVENT_FILTER_ORDER_INVALID CPUID_LEAF_1F_FORMAT_UNRECOGNIZED
            VP_INIT              @PAGE @TD TDCX_NUM_INCORRECT VCPU_STATE_INCORRECT MAX_VCPUS_EXCEEDED X2APIC_ID_NOT_UNIQUE
            MEM_PAGE_PROMOTE     @PAGE @TD @ENTRY @TRACKED EPT_INVALID_PROMOTE_CONDITIONS INTERRUPTED_RESTARTABLE INTERRUPTED_BUSY
            PHYMEM_PAGE_RDMD     OPERAND_INVALID OPERAND_ADDR_RANGE_ERROR OPERAND_BUSY
            MEM_SEPT_RD          @PAGE @TD EPT_WALK_FAILED
            VP_RD                @PAGE @TD @VCPU @FIELD
            MNG_KEY_RECLAIMID    SUCCESS
            PHYMEM_PAGE_RECLAIM  @PAGE LIFECYCLE_STATE_INCORRECT TD_ASSOCIATED_PAGES_EXIST
            MEM_PAGE_REMOVE      @PAGE @TD @ENTRY @TRACKED
            MEM_SEPT_REMOVE      @PAGE @TD @ENTRY @TRACKED EPT_PAGE_NOT_FREE
            SYS_KEY_CONFIG       SYS_BUSY SYS_KEY_CONFIG_NOT_PENDING KEY_CONFIGURED OPERAND_BUSY
            SYS_INFO             SYS_LP_INIT_NOT_DONE
            SYS_INIT             SYS_BUSY SYS_INIT_NOT_PENDING
            SYS_RD               SYS_LP_INIT_NOT_DONE @FIELD
            SYS_LP_INIT          SYS_BUSY SYS_LP_INIT_NOT_PENDING SYS_LP_INIT_DONE
            SYS_TDMR_INIT        OPERAND_BUSY TDMR_ALREADY_INITIALIZED
            SYS_RDALL            SYS_LP_INIT_NOT_DONE METADATA_LIST_OVERFLOW METADATA_FIELD_ID_INCORRECT
            MEM_TRACK            @PAGE @TD PREVIOUS_TLB_EPOCH_BUSY
            MEM_RANGE_UNBLOCK    @PAGE @TD @ENTRY TLB_TRACKING_NOT_DONE
            PHYMEM_CACHE_WB      OPERAND_BUSY NO_HKID_READY_TO_WBCACHE WBCACHE_RESUME_ERROR INTERRUPTED_RESUMABLE
            PHYMEM_PAGE_WBINVD   @PAGE
            VP_WR                @PAGE @TD @VCPU @WRITE
            SYS_LP_SHUTDOWN      SUCCESS
            SYS_CONFIG           SYS_BUSY SYS_CONFIG_NOT_PENDING INVALID_TDMR NON_ORDERED_TDMR TDMR_OUTSIDE_CMRS INVALID_PAMT PAMT_OUTSIDE_CMRS PAMT_OVERLAP INVALID_RESERVED_IN_TDMR NON_ORDERED_RESERVED_IN_TDMR
            SYS_SHUTDOWN         SYS_BUSY UPDATE_COMPATIBILITY_SENSITIVE
            PHYMEM_PAMT_ADD      OPERAND_ADDR_RANGE_ERROR OPERAND_BUSY HPA_RANGE_NOT_FREE PAGE_NOT_FREE
            PHYMEM_PAMT_REMOVE   OPERAND_ADDR_RANGE_ERROR OPERAND_BUSY NO_PAMT_PAGE_PAIR PAMT_PAGE_NOT_EMPTY
            """;

    private static final Map<Leaf, Set<StatusCode>> BY_LEAF = new EnumMap<>(Leaf.class);

    static {
        TABLE.lines().map(line -> line.trim().split("\\s+", -1)).forEach(AllowedStatuses::row);
    }

    private AllowedStatuses() {}

    /** Leaves that the table knows: those in the model's scope. */
    static Set<Leaf> leaves() {
        return BY_LEAF.keySet();
    }

    /**
     * Whether a leaf may answer this. Success, a bad version or operand, and a module that is not
     * ready or shut down are possible for all.
     */
    static boolean allows(Leaf leaf, StatusCode code) {
        return switch (code) {
            case SUCCESS, OPERAND_INVALID, SYS_NOT_READY, SYS_SHUTDOWN -> true;
            default -> BY_LEAF.getOrDefault(leaf, Set.of()).contains(code);
        };
    }

    private static void row(String[] words) {
        Set<StatusCode> codes = EnumSet.noneOf(StatusCode.class);
        Set<String> names = new TreeSet<>();
        for (int i = 1; i < words.length; i++) {
            String word = words[i];
            if (word.startsWith("@")) {
                names.addAll(Set.of(GROUPS.get(word.substring(1)).split(" ", -1)));
            } else {
                names.add(word);
            }
        }
        names.forEach(name -> codes.add(StatusCode.valueOf(name)));
        BY_LEAF.put(Leaf.valueOf(words[0]), codes);
    }
}

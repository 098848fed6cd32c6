// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the facts say about a leaf: operands with which it succeeds in a {@link World}, and single
 * faults in the order in which the leaf looks for them (module ABI sections 1.3, 1.5, 1.6 and 5).
 *
 * @param operands register and name of its value
 * @param faults in order of check
 */
record Contract(Leaf leaf, Map<String, String> operands, List<Fault> faults) {
    /**
     * One wrong operand.
     *
     * @param register which operand
     * @param value name of the wrong value in the {@link World}
     * @param status what comes back
     */
    record Fault(String register, String value, long status) {}

    private static final Map<String, Integer> REGISTERS =
            Map.of(
                    "rcx", Registers.RCX,
                    "rdx", Registers.RDX,
                    "r8", Registers.R8,
                    "r9", Registers.R9,
                    "r12", Registers.R12,
                    "r13", Registers.R13);

    /** {@code $} is the register; lines that begin with {@code dyn} need Dynamic PAMT. */
    private static final Map<String, String> GROUPS =
            Map.of(
                    "@TDR",
                    """
                    $ UNALIGNED OPERAND_INVALID|$
                    $ HKID OPERAND_INVALID|$
                    $ ABOVE OPERAND_INVALID|$
                    $ OUTSIDE OPERAND_ADDR_RANGE_ERROR|$
                    $ NOPAIR PAGE_METADATA_INCORRECT|$
                    $ FREE2 PAGE_METADATA_INCORRECT|$
                    $ FLUSHEDVCPU PAGE_METADATA_INCORRECT|$
                    """,
                    "@STATE",
                    """
                    $ CREATED TD_KEYS_NOT_CONFIGURED
                    $ FLUSHED TD_KEYS_NOT_CONFIGURED
                    $ TORN TD_KEYS_NOT_CONFIGURED
                    $ KEYED TDCS_NOT_ALLOCATED
                    $ UNINIT OP_STATE_INCORRECT#0
                    """,
                    "@VCPU",
                    """
                    $ UNALIGNED OPERAND_INVALID|$
                    $ HKID OPERAND_INVALID|$
                    $ OUTSIDE OPERAND_ADDR_RANGE_ERROR|$
                    $ NOPAIR PAGE_METADATA_INCORRECT|$
                    $ FREE2 PAGE_METADATA_INCORRECT|$
                    $ CREATED PAGE_METADATA_INCORRECT|$
                    """,
                    "@NEW",
                    """
                    $ UNALIGNED OPERAND_INVALID|$
                    $ HKID OPERAND_INVALID|$
                    $ ABOVE OPERAND_INVALID|$
                    $ OUTSIDE OPERAND_ADDR_RANGE_ERROR|$
                    dyn $ NOPAIR MISSING_PAMT_PAGE_PAIR|$
                    $ FLUSHEDVCPU PAGE_METADATA_INCORRECT|$
                    $ NOVCPU PAGE_METADATA_INCORRECT|$
                    """,
                    "@GPA",
                    """
                    rcx GRESERVED OPERAND_INVALID|rcx
                    rcx GTOP OPERAND_INVALID|rcx
                    rcx GLEVEL OPERAND_INVALID|rcx
                    rcx GSHARED OPERAND_INVALID|rcx
                    rcx GWIDE OPERAND_INVALID|rcx
                    """);

    private static final String TABLE =
            """
            leaf MNG_CREATE rcx=FREE rdx=0x3f
              rdx 0x1f OPERAND_INVALID|rdx
              rdx 0x40 OPERAND_INVALID|rdx
              rdx 0x10020 OPERAND_INVALID|rdx
              @NEW rcx
              rdx 0x20 HKID_NOT_FREE
              rdx 0x21 HKID_NOT_FREE
            leaf MNG_KEY_CONFIG rcx=CREATED
              @TDR rcx
              rcx KEYED LIFECYCLE_STATE_INCORRECT
              rcx FLUSHED LIFECYCLE_STATE_INCORRECT
            leaf MNG_ADDCX rcx=FREE rdx=KEYED
              @TDR rdx
              rdx CREATED TD_KEYS_NOT_CONFIGURED
              rdx FLUSHED TD_KEYS_NOT_CONFIGURED
              @NEW rcx
              rdx INIT OP_STATE_INCORRECT#1
              rdx RUN OP_STATE_INCORRECT#2
            leaf MNG_INIT rcx=UNINIT rdx=PARAMS
              @TDR rcx
              rcx CREATED TD_KEYS_NOT_CONFIGURED
              rcx FLUSHED TD_KEYS_NOT_CONFIGURED
              rcx KEYED TDCS_NOT_ALLOCATED
              rcx INIT OP_STATE_INCORRECT#1
              rcx RUN OP_STATE_INCORRECT#2
              rdx 0x200 OPERAND_INVALID|rdx
              rdx PRIVATEBUFFER OPERAND_INVALID|rdx
              rdx ABOVE OPERAND_INVALID|rdx
            leaf MNG_RD rcx=RUN rdx=0x9010000200000004
              @TDR rcx
              @STATE rcx
              rdx 0x9110000300000005 METADATA_FIELD_ID_INCORRECT
              rdx 0x9010000600000004 METADATA_FIELD_ID_INCORRECT
              rdx 0x1310000300000040 METADATA_FIELD_NOT_READABLE
            leaf MNG_WR rcx=RUN rdx=0x9110000300000011 r8=20000 r9=-1
              @TDR rcx
              @STATE rcx
              rdx 0x9110000300000005 METADATA_FIELD_ID_INCORRECT
              rdx 0x1310000300000000 METADATA_FIELD_NOT_WRITABLE
              r9 0 METADATA_FIELD_NOT_WRITABLE
              r9 0xffff METADATA_WR_MASK_NOT_VALID
              r8 5 METADATA_FIELD_VALUE_NOT_VALID
            leaf MNG_VPFLUSHDONE rcx=KEYED
              @TDR rcx
              rcx FLUSHED LIFECYCLE_STATE_INCORRECT
              rcx TORN LIFECYCLE_STATE_INCORRECT
              rcx RUN FLUSHVP_NOT_DONE
            leaf MNG_KEY_FREEID rcx=WRITTENBACK
              @TDR rcx
              rcx CREATED LIFECYCLE_STATE_INCORRECT
              rcx RUN LIFECYCLE_STATE_INCORRECT
              rcx TORN LIFECYCLE_STATE_INCORRECT
              rcx WAITING WBCACHE_NOT_COMPLETE
            leaf VP_CREATE rcx=FREE rdx=INIT
              @TDR rdx
              @STATE rdx
              rdx RUN OP_STATE_INCORRECT#2
              @NEW rcx
            leaf VP_ADDCX rcx=FREE rdx=BAREVCPU
              @VCPU rdx
              rdx RUNVCPU OP_STATE_INCORRECT#2
              rdx INITVCPU VCPU_STATE_INCORRECT#2
              @NEW rcx
            leaf VP_INIT rcx=FRESHVCPU
              @VCPU rcx
              rcx RUNVCPU OP_STATE_INCORRECT#2
              rcx BAREVCPU TDCX_NUM_INCORRECT
              rcx INITVCPU VCPU_STATE_INCORRECT#2
            leaf VP_FLUSH rcx=RUNVCPU
              @VCPU rcx
              rcx BAREVCPU TDCX_NUM_INCORRECT
              rcx FRESHVCPU VCPU_NOT_ASSOCIATED
              rcx FLUSHEDVCPU VCPU_NOT_ASSOCIATED
            leaf VP_RD rcx=RUNVCPU rdx=0xa020000200000002
              @VCPU rcx
              rcx BAREVCPU TDCX_NUM_INCORRECT
              rcx FRESHVCPU VCPU_STATE_INCORRECT#0
              rdx 0xa020000300000001 METADATA_FIELD_ID_INCORRECT
              rdx 0 METADATA_FIELD_NOT_READABLE
              rdx 0xa020000000000000 METADATA_FIELD_NOT_READABLE
            leaf VP_WR rcx=RUNVCPU rdx=0x202000000000000b r8=1 r9=-1
              @VCPU rcx
              rcx BAREVCPU TDCX_NUM_INCORRECT
              rcx FRESHVCPU VCPU_STATE_INCORRECT#0
              rdx 0xa020000300000001 METADATA_FIELD_ID_INCORRECT
              rdx 0xa020000000000000 METADATA_FIELD_NOT_WRITABLE
              r9 0 METADATA_FIELD_NOT_WRITABLE
            leaf MR_EXTEND rcx=MAPPED rdx=INIT
              @TDR rdx
              @STATE rdx
              rdx RUN OP_STATE_INCORRECT#2
              rcx 0x80 OPERAND_INVALID|rcx
              rcx GSHARED OPERAND_INVALID|rcx
              rcx GWIDE OPERAND_INVALID|rcx
              rcx GFREE EPT_ENTRY_NOT_PRESENT|rcx
              rcx NOTABLE EPT_ENTRY_NOT_PRESENT|rcx
            leaf MR_FINALIZE rcx=INIT
              @TDR rcx
              @STATE rcx
              rcx RUN OP_STATE_INCORRECT#2
              rcx NOVCPU NO_VCPUS
            leaf MEM_TRACK rcx=RUN
              @TDR rcx
              @STATE rcx
            leaf MEM_SEPT_ADD rcx=FREE2M rdx=RUN r8=FREE
              rdx 0x802 OPERAND_INVALID|rdx
              @TDR rdx
              @STATE rdx
              @GPA
              rcx GFREE OPERAND_INVALID|rcx
              rcx 0x8000000001 EPT_WALK_FAILED|rcx
              rcx LARGE EPT_ENTRY_STATE_INCORRECT|rcx
              r8 -1 OPERAND_INVALID|r8
              rcx FULLTABLE EPT_ENTRY_STATE_INCORRECT|rcx
              @NEW r8
            leaf MEM_SEPT_RD rcx=FULLTABLE rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx NOTABLE EPT_WALK_FAILED|rcx
            leaf MEM_SEPT_REMOVE rcx=EMPTYTABLE rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx MAPPED OPERAND_INVALID|rcx
              rcx 0x8000000001 EPT_WALK_FAILED|rcx
              rcx FREE2M EPT_ENTRY_STATE_INCORRECT|rcx
              rcx LARGE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx FULLTABLE GPA_RANGE_NOT_BLOCKED|rcx
              rcx SPLIT EPT_PAGE_NOT_FREE|rcx
            leaf MEM_PAGE_ADD rcx=GFREE rdx=INIT r8=FREE r9=SOURCE
              @TDR rdx
              @STATE rdx
              rdx RUN OP_STATE_INCORRECT#2
              @GPA
              rcx FREE2M OPERAND_INVALID|rcx
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx MAPPED EPT_ENTRY_STATE_INCORRECT|rcx
              r9 UNALIGNED OPERAND_INVALID|r9
              r9 PRIVATEBUFFER OPERAND_INVALID|r9
              r9 ABOVE OPERAND_INVALID|r9
              @NEW r8
            leaf MEM_PAGE_AUG rcx=GFREE rdx=RUN r8=FREE
              @TDR rdx
              @STATE rdx
              @GPA
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx MAPPED EPT_ENTRY_STATE_INCORRECT|rcx
              rcx PENDING EPT_ENTRY_STATE_INCORRECT|rcx
              @NEW r8
            leaf MEM_PAGE_REMOVE rcx=TRACKED rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx GFREE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx FULLTABLE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx MAPPED GPA_RANGE_NOT_BLOCKED|rcx
              rcx PENDING GPA_RANGE_NOT_BLOCKED|rcx
              rcx UNTRACKED TLB_TRACKING_NOT_DONE|rcx
            leaf MEM_PAGE_RELOCATE rcx=TRACKED rdx=RUN r8=FREE
              @TDR rdx
              @STATE rdx
              @GPA
              rcx LARGE OPERAND_INVALID|rcx
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx GFREE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx MAPPED GPA_RANGE_NOT_BLOCKED|rcx
              rcx UNTRACKED TLB_TRACKING_NOT_DONE|rcx
              @NEW r8
            leaf MEM_RANGE_BLOCK rcx=MAPPED rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx GFREE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx TRACKED GPA_RANGE_ALREADY_BLOCKED|rcx
              rcx EMPTYTABLE GPA_RANGE_ALREADY_BLOCKED|rcx
            leaf MEM_RANGE_UNBLOCK rcx=TRACKED rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx NOTABLE EPT_WALK_FAILED|rcx
              rcx GFREE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx MAPPED EPT_ENTRY_STATE_INCORRECT|rcx
              rcx UNTRACKED TLB_TRACKING_NOT_DONE|rcx
            leaf MEM_PAGE_DEMOTE rcx=LARGE rdx=RUN r8=FREE r12=PAIR0 r13=PAIR1
              rdx 0x802 OPERAND_INVALID|rdx
              @TDR rdx
              @STATE rdx
              @GPA
              rcx MAPPED OPERAND_INVALID|rcx
              rcx 0x8000000001 EPT_WALK_FAILED|rcx
              rcx FREE2M EPT_ENTRY_STATE_INCORRECT|rcx
              rcx FULLTABLE EPT_ENTRY_STATE_INCORRECT|rcx
              @NEW r8
              dyn r12 UNALIGNED OPERAND_INVALID|r12
              dyn r12 HKID OPERAND_INVALID|r12
              dyn r13 UNALIGNED OPERAND_INVALID|r13
              dyn r13 HKID OPERAND_INVALID|r13
              dyn r12 OUTSIDE OPERAND_ADDR_RANGE_ERROR|r12
              dyn r13 OUTSIDE OPERAND_ADDR_RANGE_ERROR|r13
              dyn r12 FREE OPERAND_BUSY|r12
              dyn r12 KEYED PAGE_NOT_FREE|r12
              dyn r13 FREE OPERAND_BUSY|r13
              dyn r13 KEYED PAGE_NOT_FREE|r13
              dyn r13 PAIR0 PAGE_NOT_FREE|r13
            leaf MEM_PAGE_PROMOTE rcx=SPLIT rdx=RUN
              @TDR rdx
              @STATE rdx
              @GPA
              rcx MAPPED OPERAND_INVALID|rcx
              rcx 0x8000000001 EPT_WALK_FAILED|rcx
              rcx FREE2M EPT_ENTRY_STATE_INCORRECT|rcx
              rcx LARGE EPT_ENTRY_STATE_INCORRECT|rcx
              rcx OPENTABLE GPA_RANGE_NOT_BLOCKED|rcx
              rcx EMPTYTABLE EPT_INVALID_PROMOTE_CONDITIONS|rcx
            leaf MEM_RD rcx=MAPPED rdx=RUN
              @TDR rdx
              @STATE rdx
              rdx RUN TD_NON_DEBUG
            leaf PHYMEM_PAGE_WBINVD rcx=FREE
              rcx UNALIGNED OPERAND_INVALID|rcx
              rcx ABOVE OPERAND_INVALID|rcx
              rcx OUTSIDE OPERAND_ADDR_RANGE_ERROR|rcx
              rcx KEYED PAGE_METADATA_INCORRECT|rcx
            leaf PHYMEM_PAGE_RDMD rcx=KEYED
              rcx UNALIGNED OPERAND_INVALID|rcx
              rcx HKID OPERAND_INVALID|rcx
              rcx 3 OPERAND_INVALID|rcx
              rcx OUTSIDE OPERAND_ADDR_RANGE_ERROR|rcx
            leaf PHYMEM_PAGE_RECLAIM rcx=TORNCHILD
              rcx UNALIGNED OPERAND_INVALID|rcx
              rcx HKID OPERAND_INVALID|rcx
              rcx ABOVE OPERAND_INVALID|rcx
              rcx OUTSIDE OPERAND_ADDR_RANGE_ERROR|rcx
              rcx FREE PAGE_METADATA_INCORRECT|rcx
              rcx NOPAIR PAGE_METADATA_INCORRECT|rcx
              rcx RUN LIFECYCLE_STATE_INCORRECT
              rcx RUNVCPU LIFECYCLE_STATE_INCORRECT
              rcx TORN TD_ASSOCIATED_PAGES_EXIST
            leaf PHYMEM_CACHE_WB rcx=0
              rcx 2 OPERAND_INVALID|rcx
              rcx 1 WBCACHE_RESUME_ERROR
            dynleaf PHYMEM_PAMT_ADD rcx=EMPTYRANGE rdx=PAIR0 r8=PAIR1
              rcx NOTARANGE OPERAND_INVALID|rcx
              rcx RANGEHKID OPERAND_INVALID|rcx
              rdx UNALIGNED OPERAND_INVALID|rdx
              rdx HKID OPERAND_INVALID|rdx
              rdx OUTSIDE OPERAND_ADDR_RANGE_ERROR|rdx
              r8 UNALIGNED OPERAND_INVALID|r8
              r8 HKID OPERAND_INVALID|r8
              r8 OUTSIDE OPERAND_ADDR_RANGE_ERROR|r8
              rcx RANGEOUT OPERAND_ADDR_RANGE_ERROR|rcx
              rcx BACKED HPA_RANGE_NOT_FREE|rcx
              rdx KEYED PAGE_NOT_FREE|rdx
              r8 KEYED PAGE_NOT_FREE|r8
              r8 PAIR0 PAGE_NOT_FREE|r8
            dynleaf PHYMEM_PAMT_REMOVE rcx=UNBACKED
              rcx NOTARANGE OPERAND_INVALID|rcx
              rcx RANGEHKID OPERAND_INVALID|rcx
              rcx RANGEOUT OPERAND_ADDR_RANGE_ERROR|rcx
              rcx UNBACKED NO_PAMT_PAGE_PAIR|rcx
              rcx BACKED PAMT_PAGE_NOT_EMPTY#0
            """;

    /** All contracts that hold for a mode. */
    static List<Contract> all(boolean dynamic) {
        List<Contract> contracts = new ArrayList<>();
        boolean skipped = false;
        for (String line : TABLE.lines().toList()) {
            String[] words = line.trim().split("\\s+", -1);
            switch (words[0]) {
                case "leaf", "dynleaf" -> {
                    skipped = words[0].equals("dynleaf") && !dynamic;
                    if (!skipped) {
                        contracts.add(start(words));
                    }
                }
                default -> {
                    if (!skipped) {
                        addFaults(contracts.getLast(), words, dynamic);
                    }
                }
            }
        }
        return contracts;
    }

    /** The call, with some operands replaced. */
    Registers call(World world, Fault... wrong) {
        Registers regs = new Registers().rax(leaf.number());
        operands.forEach((register, name) -> set(regs, register, world.value(name)));
        for (Fault fault : wrong) {
            set(regs, fault.register, world.value(fault.value));
        }
        return regs;
    }

    private static void set(Registers regs, String register, long value) {
        regs.set(REGISTERS.get(register), value);
    }

    private static Contract start(String[] words) {
        Map<String, String> operands = new java.util.LinkedHashMap<>();
        for (int i = 2; i < words.length; i++) {
            String[] parts = words[i].split("=", 2);
            operands.put(parts[0], parts[1]);
        }
        return new Contract(Leaf.valueOf(words[1]), operands, new ArrayList<>());
    }

    private static void addFaults(Contract contract, String[] words, boolean dynamic) {
        if (words[0].startsWith("@")) {
            String register = words.length > 1 ? words[1] : "";
            for (String line : GROUPS.get(words[0]).lines().toList()) {
                addFaults(contract, line.replace("$", register).trim().split(" ", -1), dynamic);
            }
            return;
        }
        int first = words[0].equals("dyn") ? 1 : 0;
        if (first == 0 || dynamic) {
            contract.faults.add(
                    new Fault(words[first], words[first + 1], status(words[first + 2])));
        }
    }

    private static long status(String text) {
        int bar = text.indexOf('|');
        if (bar >= 0) {
            Operand operand =
                    Operand.valueOf(text.substring(bar + 1).toUpperCase(java.util.Locale.ROOT));
            return StatusCode.valueOf(text.substring(0, bar)).with(operand);
        }
        int hash = text.indexOf('#');
        return hash >= 0
                ? StatusCode.valueOf(text.substring(0, hash))
                        .withDetail(Integer.parseInt(text.substring(hash + 1)))
                : StatusCode.valueOf(text).word();
    }
}

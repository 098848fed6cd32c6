// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import java.util.ArrayList;
import java.util.List;

/**
 * Fields of a vCPU that the real module has and the model keeps no value of: known, hence not
 * METADATA_FIELD_ID_INCORRECT, but neither readable nor writable. On a production TD that is what
 * the real module answers for all but a dozen VMCS fields, which the host may read there; a debug
 * TD would show them all. Fields of L2 VMs are left out, as in a TD without L2 VMs.
 */
final class UnkeptVpFields {
    /** VMCS fields, class 0: element size code, then the VMCS encoding, which is the field code. */
    private static final String VMCS =
            """
            1:0 1:4 1:6 1:800 1:802 1:804 1:806 1:808 1:80a 1:80c 1:80e 1:810 1:812 1:814
            3:2000 3:2004 3:2006 3:2008 3:200a 3:200c 3:200e 3:2010 3:2012 3:2014 3:2018
            3:201a 3:201c 3:2024 3:2026 3:2028 3:202a 3:202c 3:202e 3:2032 3:2034 3:2036
            3:2038 3:203a 3:203e 3:2040 3:204a 3:204c 3:2400 3:2800 3:2802 3:2804 3:2806
            3:2808 3:280a 3:2814 3:2816 3:2818 2:4000 2:4002 2:4004 2:4006 2:4008 2:400a
            2:400c 2:400e 2:4010 2:4012 2:4014 2:4016 2:4018 2:401a 2:401c 2:401e 2:4020
            2:4022 2:4024 2:4026 2:4400 2:4402 2:4404 2:4406 2:4408 2:440a 2:440c 2:440e
            2:4800 2:4802 2:4804 2:4806 2:4808 2:480a 2:480c 2:480e 2:4810 2:4812 2:4814
            2:4816 2:4818 2:481a 2:481c 2:481e 2:4820 2:4822 2:4824 2:4826 2:4828 2:482a
            2:482e 3:6000 3:6002 3:6004 3:6006 3:6008 3:6400 3:6402 3:6404 3:6406 3:6408
            3:640a 3:6800 3:6802 3:6804 3:6806 3:6808 3:680a 3:680c 3:680e 3:6810 3:6812
            3:6814 3:6816 3:6818 3:681a 3:681c 3:681e 3:6820 3:6822 3:6824 3:6826 3:6828
            3:682a 3:682c 3:6c08 3:6c14 3:6c16 3:6c1a
            """;

    /** Name, identifier, consecutive fields. */
    private static final String TDVPS =
            """
            VAPIC                                  0x0120000300000000  128
            EXIT_REASON                            0x0220000200000000    1
            VALID                                  0x0220000200000001    1
            EXIT_QUALIFICATION                     0x0220000300000002    1
            GLA                                    0x0220000300000003    1
            GPA                                    0x0220000300000004    1
            EPTP_INDEX                             0x0220000100000005    1
            INSTRUCTION_LENGTH                     0x8220000200000010    1
            INSTRUCTION_INFORMATION                0x8220000200000011    1
            VE_CATEGORY                            0x8220000000000013    1
            INTERRUPTIBILITY_STATE                 0x8220000200000014    1
            DR0                                    0x1120000300000000    1
            DR1                                    0x1120000300000001    1
            DR2                                    0x1120000300000002    1
            DR3                                    0x1120000300000003    1
            DR6                                    0x1120000300000006    1
            XCR0                                   0x1120000300000020    1
            CR2                                    0x1120000300000028    1
            XBUFF                                  0x1220000300000000 1536
            MSR_SMI_COUNT                          0x1320000300000034    1
            IA32_SPEC_CTRL                         0x1320000300000048    1
            IA32_UMWAIT_CONTROL                    0x13200003000000e1    1
            IA32_TSX_CTRL                          0x1320000300000122    1
            IA32_PMC_GP_CFG_Ax                     0x1320000300000186    8
            IA32_MISC_ENABLE                       0x13200003000001a0    1
            MSR_OFFCORE_RSPx                       0x13200003000001a6    2
            IA32_XFD                               0x13200003000001c4    1
            IA32_XFD_ERR                           0x13200003000001c5    1
            IA32_PMC_FX_CTRx                       0x1320000300000309    7
            IA32_PERF_METRICS                      0x1320000300000329    1
            IA32_FIXED_CTR_CTRL                    0x132000030000038d    1
            IA32_PERF_GLOBAL_STATUS                0x132000030000038e    1
            IA32_PEBS_ENABLE                       0x13200003000003f1    1
            MSR_PEBS_DATA_CFG                      0x13200003000003f2    1
            MSR_PEBS_LD_LAT                        0x13200003000003f6    1
            MSR_PEBS_FRONTEND                      0x13200003000003f7    1
            IA32_PMC_GP_CTRx                       0x13200003000004c1    8
            IA32_DS_AREA                           0x1320000300000600    1
            IA32_XSS                               0x1320000300000da0    1
            IA32_LBR_DEPTH                         0x13200003000014cf    1
            IA32_UARCH_MISC_CTL                    0x1320000300001b01    1
            IA32_STAR                              0x1320000300002081    1
            IA32_LSTAR                             0x1320000300002082    1
            IA32_FMASK                             0x1320000300002084    1
            IA32_KERNEL_GS_BASE                    0x1320000300002102    1
            IA32_TSC_AUX                           0x1320000300002103    1
            LAST_EXIT_TSC                          0xa02000030000000a    1
            XFAM_DEPRECATED                        0x202000030000000c    1
            LAST_EPF_GPA_LIST_IDX                  0xa02000000000000d    1
            POSSIBLY_EPF_STEPPING                  0xa02000000000000e    1
            HP_LOCK_BUSY_START                     0xa020000300000030    1
            HP_LOCK_BUSY                           0xa020000000000031    1
            LAST_SEAMDB_INDEX                      0xa020000300000032    1
            NMI_UNBLOCKING_DUE_TO_IRET             0xa020000000000040    1
            CURR_VM                                0xa020000100000041    1
            L2_EXIT_HOST_ROUTING                   0xa020000000000042    1
            VM_LAUNCHED                            0xa020000000000044    4
            LP_DEPENDENT_HPA_UPDATED               0xa020000000000048    4
            MODULE_DEPENDENT_FIELDS_UPDATED        0xa02000000000004c    4
            L2_CTLS                                0xa020000300000050    4
            L2_DEBUG_CTLS                          0xa020000300000054    4
            TSC_DEADLINE                           0xa020000300000058    4
            SHADOW_TSC_DEADLINE                    0xa02000030000005c    4
            BASE_L2_CR0_GUEST_HOST_MASK            0xa020000300000080    1
            BASE_L2_CR0_READ_SHADOW                0xa020000300000081    1
            BASE_L2_CR4_GUEST_HOST_MASK            0xa020000300000082    1
            BASE_L2_CR4_READ_SHADOW                0xa020000300000083    1
            SHADOW_CR0_GUEST_HOST_MASK             0xa020000300000084    4
            SHADOW_CR0_READ_SHADOW                 0xa020000300000088    4
            SHADOW_CR4_GUEST_HOST_MASK             0xa02000030000008c    4
            SHADOW_CR4_READ_SHADOW                 0xa020000300000090    4
            SHADOW_INSTRUCTION_TIMEOUT_CONTROL     0xa020000200000094    4
            SHADOW_PID_HPA                         0xa020000300000098    4
            SHADOW_PINBASED_EXEC_CTLS              0xa02000020000009c    4
            SHADOW_PLE_GAP                         0xa0200002000000a4    4
            SHADOW_PLE_WINDOW                      0xa0200002000000a8    4
            SHADOW_POSTED_INT_NOTIFICATION_VECTOR  0xa0200001000000ac    4
            SHADOW_PROCBASED_EXEC_CTLS2            0xa0200002000000b0    4
            SHADOW_SHARED_EPTP                     0xa0200003000000b4    4
            L2_ENTER_GUEST_STATE_GPA               0xa020000300000100    4
            L2_ENTER_GUEST_STATE_HPA               0xa020000300000104    4
            VE_INFO_GPA                            0xa020000300000108    4
            VE_INFO_HPA                            0xa02000030000010c    4
            L2_VAPIC_GPA                           0xa020000300000110    4
            L2_VAPIC_HPA                           0xa020000300000114    4
            CPUID_CONTROL                          0xa120000000000000  128
            LAST_EPF_GPA_LIST                      0xa220000300000200   32
            """;

    private static final long VMCS_BASE = 0x0024_0000_0000_0000L;
    private static final int SIZE_SHIFT = 32;

    private UnkeptVpFields() {}

    static List<FieldSpec> vmcs() {
        List<FieldSpec> specs = new ArrayList<>();
        for (String word : VMCS.trim().split("\\s+", -1)) {
            int colon = word.indexOf(':');
            long size = Long.parseLong(word.substring(0, colon));
            long code = Long.parseLong(word.substring(colon + 1), 16);
            long id = VMCS_BASE | size << SIZE_SHIFT | code;
            specs.add(unkept("VMCS " + word.substring(colon + 1), id, 1));
        }
        return specs;
    }

    static List<FieldSpec> tdvps() {
        List<FieldSpec> specs = new ArrayList<>();
        TDVPS.lines()
                .map(line -> line.trim().split("\\s+", -1))
                .forEach(column ->
                        specs.add(
                                unkept(
                                        column[0],
                                        Long.parseUnsignedLong(column[1].substring(2), 16),
                                        Integer.parseInt(column[2]))));
        return specs;
    }

    private static FieldSpec unkept(String name, long id, int fields) {
        return new FieldSpec(name, id, fields, 1, 0, 0, 0, 0, 0, 0);
    }
}

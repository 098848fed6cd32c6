// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import java.util.Arrays;
import java.util.List;

/**
 * What every method is held to, in one table: a request that is right, what an empty one is
 * answered with, and the answer where that is no success. {@link ApiContractTest} derives the rest
 * from the descriptors.
 */
final class Contract {
    /**
     * A method's row.
     *
     * @param empty {@code ok}; or the field that an empty request lacks; or {@code -}, where an
     *     empty request means something that the test cannot want
     * @param answer {@code ok}, or the reason with which the right request is refused
     * @param request the right request, as {@link Fixture} reads it
     */
    record Row(Rpc rpc, String empty, String answer, String request) {
        boolean isGranted() {
            return answer.equals("ok");
        }

        @Override
        public String toString() {
            return rpc.name();
        }
    }

    private static final String TABLE =
            """
            Audit/RunAudit                    | ok           | ok |
            Checks/RunCheck                   | what         | ok | program: 'get; put' variants: 'v6' request_id: '$uuid'
            Checks/ListCheckScenarios         | ok           | ok |
            Events/ListEvents                 | ok           | ok | page_size: 10
            Events/WatchEvents                | ok           | ok |
            Faults/CreateFault                | fault        | ok | fault_id: '$id' fault { leaf: 'TDH.SYS.SHUTDOWN' nth: 1 status: 'OPERAND_BUSY' }
            Faults/GetFault                   | name         | ok | name: '$fault'
            Faults/ListFaults                 | ok           | ok |
            Faults/DeleteFault                | name         | ok | name: '$fault:new'
            Faults/ListAllocationSites        | ok           | ok |
            Host/GetHost                      | ok           | ok |
            Host/GetMemoryReport              | ok           | ok |
            Host/SetCpuOnline                 | cpu          | ok | cpu: 1 online: true
            Host/GetModuleInfo                | ok           | ok |
            Host/ListCmrs                     | ok           | ok |
            Host/ListTdmrs                    | ok           | ok |
            Host/ListKeyIds                   | ok           | ok |
            Host/ListCpus                     | ok           | ok |
            Host/WatchHost                    | ok           | ok |
            Kvm/CreateVm                      | ok           | ok | vm_id: '$id' vm { type: ORDINARY }
            Kvm/GetVm                         | name         | ok | name: '$vm'
            Kvm/ListVms                       | ok           | ok |
            Kvm/DeleteVm                      | name         | ok | name: '$vm:new'
            Kvm/GetTdxCapabilities            | name         | ok | name: '$vm'
            Kvm/SetMemoryRegion               | name         | ok | name: '$vm:new' memory_region { slot: 3 gpa: 0x1000 size_bytes: 0x2000 }
            Kvm/SetMemoryAttributes           | name         | ok | name: '$vm:new' gpa: 0x1000 size_bytes: 0x1000 attribute: MEMORY_ATTRIBUTE_PRIVATE
            Kvm/InitVm                        | name         | ok | name: '$vm:new' xfam: 3 cpuid { function: 0x80000008 eax: 0x300000 }
            Kvm/CreateVcpu                    | name         | ok | name: '$vm:1'
            Kvm/InitVcpu                      | name         | ok | name: '$vm:2' initial_rcx: 7
            Kvm/InitMemRegion                 | name         | ok | name: '$vm:3' gpa: 0x4000 page_count: 2 source: 'x' measure: true
            Kvm/FinalizeVm                    | name         | ok | name: '$vm:3'
            Kvm/GetTdxCpuid                   | name         | ok | name: '$vm:3'
            Kvm/TerminateVm                   | name         | ok | name: '$vm:4'
            Kvm/PreFaultVcpuMemory            | name         | ok | name: '$vm:4' gpa: 0x100000 size_bytes: 0x2000
            Kvm/RunKvmVcpu                    | name         | ok | name: '$vm:4' text: 'spin 1'
            Memory/ConvertMemory              | name         | ok | name: '$td:READY' gpa: 0xB00000 size_bytes: 4096 attribute: MEMORY_ATTRIBUTE_SHARED
            Memory/PreFaultMemory             | name         | ok | name: '$td:READY' gpa: 0xB00000 size_bytes: 4096
            Memory/PunchHole                  | name         | ok | name: '$td:READY' gpa: 0xB00000 size_bytes: 4096
            Memory/ListMappings               | parent       | ok | parent: '$td'
            Memory/GetPageInfo                | page         | ok | guest { trust_domain: '$td' gpa: 0x1000 }
            Memory/ReadGuestMemory            | name         | ok | name: '$td' gpa: 0xA00000 size_bytes: 8
            Memory/WriteGuestMemory           | name         | ok | name: '$td' gpa: 0xA00000 data: '01234567'
            Operations/GetOperation           | name         | ok | name: '$operation'
            Operations/ListOperations         | ok           | ok |
            Operations/WaitOperation          | name         | ok | name: '$operation'
            Operations/CancelOperation        | name         | ok | name: '$operation'
            Operations/DeleteOperation        | name         | ok | name: '$operation:new'
            Pamt/GetPamtStats                 | ok           | ok |
            Pamt/ListPamtRegions              | ok           | ok |
            Pamt/GetPamtRegion                | ok           | ok | hpa: 0x40000000
            Pamt/WatchPamtStats               | ok           | ok |
            Pamt/ComparePamtModes             | ok           | ok |
            Seamcalls/Call                    | -            | ok | sandbox: '$sandbox' leaf { name: 'TDH.SYS.INIT' }
            Seamcalls/CallStream              | -            | ok | sandbox: '$sandbox' leaf { name: 'TDH.SYS.INIT' }
            Seamcalls/ListLeaves              | ok           | ok | sandbox: '$sandbox'
            Seamcalls/DecodeStatus            | status       | ok | word: 0xC000010000000041
            Seamcalls/WatchSeamcalls          | ok           | ok | sandbox: '$sandbox'
            Seamcalls/ReadMemory              | length       | ok | sandbox: '$sandbox' hpa: 0x2000000 length: 16
            Seamcalls/WriteMemory             | data         | ok | sandbox: '$sandbox' hpa: 0x2000000 data: 'x'
            Seamcalls/CreateSandbox           | ok           | ok | sandbox_id: '$id'
            Seamcalls/ListSandboxes           | ok           | ok |
            Seamcalls/DeleteSandbox           | name         | ok | name: '$sandbox:new'
            TrustDomains/CreateTrustDomain    | trust_domain | ok | trust_domain_id: '$id' trust_domain { memory_bytes: 0x1000000 guest_program { text: 'idle' } }
            TrustDomains/GetTrustDomain       | name         | ok | name: '$td'
            TrustDomains/ListTrustDomains     | ok           | ok |
            TrustDomains/UpdateTrustDomain    | trust_domain | ok | trust_domain { name: '$td' display_name: 'contract' } update_mask { paths: 'display_name' }
            TrustDomains/StartTrustDomain     | name         | ok | name: '$td:READY'
            TrustDomains/PauseTrustDomain     | name         | ok | name: '$td:RUNNING'
            TrustDomains/ResumeTrustDomain    | name         | ok | name: '$td:PAUSED'
            TrustDomains/StopTrustDomain      | name         | ok | name: '$td:RUNNING'
            TrustDomains/KillTrustDomain      | name         | ok | name: '$td:RUNNING'
            TrustDomains/TerminateTrustDomain | name         | ok | name: '$td:READY'
            TrustDomains/WaitTrustDomain      | name         | ok | name: '$td' states: READY
            TrustDomains/ResetTrustDomain     | name         | NOT_ALLOWED_BY_TDX | name: '$td'
            TrustDomains/InjectNmi            | name         | NOT_ALLOWED_BY_TDX | name: '$td'
            TrustDomains/DeleteTrustDomain    | name         | ok | name: '$td:READY'
            TrustDomains/WatchTrustDomain     | name         | ok | name: '$td'
            TrustDomains/WatchTrustDomains    | ok           | ok |
            Vcpus/GetVcpu                     | name         | ok | name: '$td/vcpus/0'
            Vcpus/ListVcpus                   | parent       | ok | parent: '$td'
            Vcpus/RunVcpu                     | name         | ok | name: '$td:READY/vcpus/0'
            Vcpus/ExecuteGuestProgram         | -            | ok | name: '$td:READY/vcpus/0' text: 'spin 1'
            """;

    private Contract() {}

    /** The names of all rows. */
    static List<String> names() {
        return TABLE.lines().map(line -> line.split("\\|", 2)[0].strip()).toList();
    }

    /** All rows of methods that take one request. */
    static List<Row> rows() {
        return TABLE.lines().map(Contract::row).filter(row -> row.rpc().takesOneRequest()).toList();
    }

    /** The row of a method. */
    static Row row(Rpc rpc) {
        return rows().stream()
                .filter(row -> row.rpc() == rpc)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no row for " + rpc));
    }

    private static Row row(String line) {
        List<String> cells = Arrays.stream(line.split("\\|", 4)).map(String::strip).toList();
        return new Row(Api.rpc(cells.get(0)), cells.get(1), cells.get(2), cells.get(3));
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import java.util.HashMap;
import java.util.Map;

/**
 * The role that each method needs: the only place that says so. A method without a row needs the
 * highest, so that forgetting one closes a door instead of opening it; a test finds it.
 */
final class MethodRoles {
    /** Stands for reading the pages of the HTTP port, which are no methods. */
    static final String READ_METRICS = "http/read";

    private static final Map<String, Role> BY_METHOD = new HashMap<>();

    static {
        // What gRPC itself brings.
        service("grpc.health.v1.Health").viewer("Check", "Watch", "List");
        service("grpc.reflection.v1.ServerReflection").viewer("ServerReflectionInfo");
        service("grpc.reflection.v1alpha.ServerReflection").viewer("ServerReflectionInfo");

        service("http").viewer("read");

        service("google.longrunning.Operations")
                .viewer("GetOperation", "ListOperations", "WaitOperation")
                .operator("CancelOperation", "DeleteOperation");

        service("seamlab.v1.TrustDomains")
                .viewer("GetTrustDomain", "ListTrustDomains", "WaitTrustDomain")
                .viewer("WatchTrustDomain", "WatchTrustDomains")
                .operator("CreateTrustDomain", "UpdateTrustDomain", "DeleteTrustDomain")
                .operator("StartTrustDomain", "PauseTrustDomain", "ResumeTrustDomain")
                .operator("StopTrustDomain", "KillTrustDomain", "TerminateTrustDomain")
                .operator("ResetTrustDomain", "InjectNmi");
        service("seamlab.v1.Vcpus")
                .viewer("GetVcpu", "ListVcpus")
                .operator("RunVcpu", "ExecuteGuestProgram");
        service("seamlab.v1.Memory")
                .viewer("ListMappings", "GetPageInfo")
                .operator("ConvertMemory", "PreFaultMemory", "PunchHole")
                .operator("ReadGuestMemory", "WriteGuestMemory");
        service("seamlab.v1.Kvm")
                .viewer("GetVm", "ListVms", "GetTdxCapabilities", "GetTdxCpuid")
                .operator("CreateVm", "DeleteVm", "InitVm", "FinalizeVm", "TerminateVm")
                .operator("SetMemoryRegion", "SetMemoryAttributes", "InitMemRegion")
                .operator("CreateVcpu", "InitVcpu", "PreFaultVcpuMemory", "RunKvmVcpu");

        service("seamlab.v1.Host")
                .viewer("GetHost", "WatchHost", "GetMemoryReport", "GetModuleInfo")
                .viewer("ListCmrs", "ListTdmrs", "ListKeyIds", "ListCpus")
                .operator("SetCpuOnline");
        service("seamlab.v1.Pamt")
                .viewer("GetPamtStats", "WatchPamtStats", "ComparePamtModes")
                .viewer("GetPamtRegion", "ListPamtRegions");
        service("seamlab.v1.Events").viewer("ListEvents", "WatchEvents");
        service("seamlab.v1.Audit").operator("RunAudit");
        service("seamlab.v1.Checks").viewer("ListCheckScenarios").operator("RunCheck");

        service("seamlab.v1.Seamcalls")
                .viewer("ListLeaves", "DecodeStatus", "WatchSeamcalls", "ListSandboxes")
                .lab("Call", "CallStream", "ReadMemory", "WriteMemory")
                .lab("CreateSandbox", "DeleteSandbox");
        service("seamlab.v1.Faults")
                .viewer("GetFault", "ListFaults", "ListAllocationSites")
                .lab("CreateFault", "DeleteFault");
    }

    private MethodRoles() {}

    /**
     * The role that a method needs.
     *
     * @param method full name, for example {@code seamlab.v1.Host/GetHost}
     */
    static Role needed(String method) {
        return BY_METHOD.getOrDefault(method, Role.LAB);
    }

    /** The rows. */
    static Map<String, Role> rows() {
        return Map.copyOf(BY_METHOD);
    }

    private static Rows service(String name) {
        return new Rows(name);
    }

    /** The rows of one service. */
    private record Rows(String service) {
        Rows viewer(String... methods) {
            return rows(Role.VIEWER, methods);
        }

        Rows operator(String... methods) {
            return rows(Role.OPERATOR, methods);
        }

        Rows lab(String... methods) {
            return rows(Role.LAB, methods);
        }

        private Rows rows(Role role, String... methods) {
            for (String method : methods) {
                if (BY_METHOD.put(service + "/" + method, role) != null) {
                    throw new IllegalStateException(service + "/" + method + " has two rows");
                }
            }
            return this;
        }
    }
}

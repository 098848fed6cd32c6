// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/**
 * How much a server takes on; settings {@code seamlab.limits.*}. What goes beyond is answered with
 * RESOURCE_EXHAUSTED at once, naming the limit. The size of a message is a setting of the gRPC
 * server: {@code quarkus.grpc.server.max-inbound-message-size}.
 */
@ConfigMapping(prefix = "seamlab.limits")
public interface Limits {
    /** Trust domains at once, those being built or deleted included. KeyIDs may run out before. */
    @WithDefault("1024")
    int trustDomains();

    /** Virtual machines of the step-wise service at once. */
    @WithDefault("64")
    int vms();

    /**
     * Bytes of all memory slots of virtual machines together: a slot costs the server a little for
     * each 2 MiB, used or not.
     */
    @WithDefault("4398046511104")
    long vmMemory();

    /** vCPUs of all trust domains and virtual machines; each running one is a thread. */
    @WithDefault("4096")
    int vcpus();

    /** Unary calls that are being answered at once. Health checks do not count. */
    @WithDefault("1024")
    int concurrentCalls();

    /** Streams of changes at once. */
    @WithDefault("256")
    int watches();

    /** Logs of SEAMCALLs at once; each costs a ring, and a copy for every SEAMCALL. */
    @WithDefault("16")
    int seamcallWatches();

    /** Long-running operations at once. */
    @WithDefault("256")
    int runningOperations();

    /** Operations that are done and remembered. */
    @WithDefault("1024")
    int keptOperations();

    /** Sandboxes at once. */
    @WithDefault("8")
    int sandboxes();
}

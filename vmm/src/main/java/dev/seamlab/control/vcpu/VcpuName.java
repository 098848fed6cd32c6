// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.vcpu;

import dev.seamlab.control.call.TrustDomainName;

/**
 * Resource names of vCPUs: {@code trustDomains/{id}/vcpus/{index}}.
 *
 * @param trustDomain id of the trust domain
 */
record VcpuName(String trustDomain, int index) {
    private static final String MIDDLE = "/vcpus/";

    /** Reads a name whose form was checked already. */
    static VcpuName parse(String name) {
        int at = name.indexOf(MIDDLE);
        return new VcpuName(
                TrustDomainName.id(name.substring(0, at)),
                Integer.parseInt(name.substring(at + MIDDLE.length())));
    }

    @Override
    public String toString() {
        return TrustDomainName.of(trustDomain) + MIDDLE + index;
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control;

/** Resource names of trust domains: {@code trustDomains/{id}}. */
final class TrustDomainName {
    static final String TYPE = "seamlab.dev/TrustDomain";
    private static final String PREFIX = "trustDomains/";

    private TrustDomainName() {}

    static String of(String id) {
        return PREFIX + id;
    }

    /** The id in a name whose form was checked already. */
    static String id(String name) {
        return name.substring(PREFIX.length());
    }
}

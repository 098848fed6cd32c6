// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

/** Resource names of trust domains: {@code trustDomains/{id}}. */
public final class TrustDomainName {
    public static final String TYPE = "seamlab.dev/TrustDomain";
    private static final String PREFIX = "trustDomains/";

    private TrustDomainName() {}

    public static String of(String id) {
        return PREFIX + id;
    }

    /** The id in a name whose form was checked already. */
    public static String id(String name) {
        return name.substring(PREFIX.length());
    }
}

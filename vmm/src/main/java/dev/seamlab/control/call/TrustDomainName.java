// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Resource names of trust domains: {@code trustDomains/{id}}. */
public final class TrustDomainName {
    public static final String TYPE = "seamlab.dev/TrustDomain";
    private static final String PREFIX = "trustDomains/";
    private static final Pattern AT_START = Pattern.compile(PREFIX + "[a-z0-9-]{1,63}");

    /** Fields of requests that say which trust domain, or what of it, is meant. */
    private static final List<String> FIELDS = List.of("name", "parent", "trust_domain");

    private TrustDomainName() {}

    public static String of(String id) {
        return PREFIX + id;
    }

    /** The id in a name whose form was checked already. */
    public static String id(String name) {
        return name.substring(PREFIX.length());
    }

    /** The trust domain that a request is for, as far as it says so; it may be any request. */
    static String in(Message request) {
        for (String name : FIELDS) {
            FieldDescriptor field = request.getDescriptorForType().findFieldByName(name);
            if (field != null && request.getField(field) instanceof String text) {
                Matcher matcher = AT_START.matcher(text);
                if (matcher.lookingAt()) {
                    return matcher.group();
                }
            }
        }
        return "";
    }
}

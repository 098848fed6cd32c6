// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.vmm.TrustDomain;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Lists: which trust domains, in which order, and where a page begins. */
final class TrustDomainPages {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListTrustDomains");
    private static final Pattern FILTER = Pattern.compile("state\\s*=\\s*\"?([A-Za-z_]+)\"?");

    private TrustDomainPages() {}

    static ListTrustDomainsResponse page(
            List<TrustDomain> all, ListTrustDomainsRequest request, TrustDomainMapper mapper) {
        String filter = request.getFilter().strip();
        Predicate<TrustDomain> wanted = filter(filter);
        String after = TOKENS.read(request.getPageToken(), filter);
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        List<TrustDomain> found =
                all.stream()
                        .filter(td -> td.id().compareTo(after) > 0)
                        .filter(wanted)
                        .sorted(Comparator.comparing(TrustDomain::id))
                        .limit(size + 1L)
                        .toList();
        ListTrustDomainsResponse.Builder response = ListTrustDomainsResponse.newBuilder();
        found.stream().limit(size).forEach(td -> response.addTrustDomains(mapper.toProto(td)));
        if (found.size() > size) {
            response.setNextPageToken(TOKENS.write(found.get(size - 1).id(), filter));
        }
        return response.build();
    }

    private static Predicate<TrustDomain> filter(String filter) {
        if (filter.isEmpty()) {
            return td -> true;
        }
        Matcher matcher = FILTER.matcher(filter);
        if (!matcher.matches()) {
            throw Rejection.invalid(
                    "filter", "only state=NAME is understood, for example state=RUNNING");
        }
        String name = matcher.group(1).toUpperCase(Locale.ROOT);
        List<State> states =
                Arrays.stream(State.values())
                        .filter(s -> s != State.UNRECOGNIZED && s != State.STATE_UNSPECIFIED)
                        .toList();
        return states.stream()
                .filter(s -> s.name().equals(name))
                .findFirst()
                .<Predicate<TrustDomain>>map(s -> td -> TrustDomainMapper.toProto(td.state()) == s)
                .orElseThrow(() ->
                        Rejection.invalid(
                                "filter",
                                "there is no state "
                                        + name
                                        + ": use one of "
                                        + states.stream()
                                                .map(State::name)
                                                .collect(Collectors.joining(", "))));
    }
}

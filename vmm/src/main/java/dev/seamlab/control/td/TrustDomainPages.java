// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.PageToken;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.vmm.TrustDomain;
import java.util.Comparator;
import java.util.List;
import java.util.function.BiPredicate;

/** Lists: which trust domains, in which order, and where a page begins. */
final class TrustDomainPages {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListTrustDomains");

    private TrustDomainPages() {}

    static ListTrustDomainsResponse page(
            List<TrustDomain> all,
            ListTrustDomainsRequest request,
            Births births,
            TrustDomainMapper mapper) {
        String filter = request.getFilter().strip();
        BiPredicate<TrustDomain, Notes> wanted = TrustDomainFilter.of(filter);
        String after = TOKENS.read(request.getPageToken(), filter);
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        List<TrustDomain> found =
                all.stream()
                        .filter(td -> td.id().compareTo(after) > 0)
                        .filter(td -> wanted.test(td, births.of(td.id()).notes()))
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
}

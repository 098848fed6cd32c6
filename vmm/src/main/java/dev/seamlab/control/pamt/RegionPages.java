// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.pamt;

import dev.seamlab.control.call.Filter;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.machine.Addresses;
import dev.seamlab.v1.ListPamtRegionsRequest;
import dev.seamlab.v1.ListPamtRegionsResponse;
import dev.seamlab.v1.PamtCause;
import dev.seamlab.vmm.PamtView;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.function.Predicate;

/** Lists: which ranges, and where a page begins. A token holds an address, no position. */
final class RegionPages {
    private static final int DEFAULT_PAGE = 1000;
    private static final PageToken TOKENS = PageToken.of("ListPamtRegions");

    private RegionPages() {}

    static ListPamtRegionsResponse page(PamtView pamt, ListPamtRegionsRequest request) {
        String filter = request.getFilter().strip();
        Predicate<PamtView.Region> wanted = filter(filter);
        OptionalLong last = TOKENS.readNumber(request.getPageToken(), filter);
        long first = last.isPresent() ? last.getAsLong() + Addresses.RANGE_SIZE : 0;
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        List<PamtView.Region> found = pamt.regions(first, size + 1, wanted);
        ListPamtRegionsResponse.Builder page = ListPamtRegionsResponse.newBuilder();
        found.stream().limit(size).map(PamtMapper::toProto).forEach(page::addRegions);
        if (found.size() > size) {
            page.setNextPageToken(TOKENS.write(found.get(size - 1).baseHpa(), filter));
        }
        return page.build();
    }

    private static Predicate<PamtView.Region> filter(String filter) {
        Predicate<PamtView.Region> all = region -> true;
        for (Filter.Term term : Filter.terms(filter, "cause=SEPT AND refcount<16")) {
            all = all.and(filter(term));
        }
        return all;
    }

    private static Predicate<PamtView.Region> filter(Filter.Term term) {
        return switch (term.key()) {
            case "trust_domain" -> {
                String name = term.equality().value();
                yield region ->
                        !region.owner().isEmpty()
                                && TrustDomainName.of(region.owner()).equals(name);
            }
            case "cause" -> {
                PamtCause cause = cause(term.equality().value());
                yield region -> PamtMapper.cause(region.cause()) == cause;
            }
            case "node" -> {
                long node = term.equality().number();
                yield region -> region.node() == node;
            }
            case "refcount" -> {
                long count = term.number();
                yield region -> term.holds(region.refcount(), count);
            }
            default ->
                    throw Filter.refuse(
                            "ranges have no "
                                    + term.key()
                                    + ": use trust_domain, cause, node or refcount");
        };
    }

    private static PamtCause cause(String name) {
        return switch (name.toUpperCase(Locale.ROOT)) {
            case "CONTROL" -> PamtCause.PAMT_CAUSE_CONTROL;
            case "SEPT" -> PamtCause.PAMT_CAUSE_SEPT;
            case "GUEST" -> PamtCause.PAMT_CAUSE_GUEST;
            default ->
                    throw Filter.refuse(
                            "there is no cause " + name + ": use CONTROL, SEPT or GUEST");
        };
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.SeptEntryState;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory of trust domains, as their VMM sees and changes it, and the pages behind it. Guest
 * addresses are without the shared bit. Safe for any thread; a change excludes the actions on the
 * same TD. Where the module has to be asked the world is stopped meanwhile.
 */
public interface GuestRam {
    /**
     * A stretch of guest memory mapped alike.
     *
     * @param level of the entries, 0 for 4K
     * @param state of the Secure EPT entries; FREE for shared memory; null where the module does
     *     not tell, because the TD has no KeyID any more
     */
    record Mapping(
            @Gpa long gpa,
            long bytes,
            boolean isPrivate,
            int level,
            @Nullable SeptEntryState state) {}

    /**
     * Some mappings, ascending.
     *
     * @param next where the next ones begin, where there are more
     */
    record Mappings(List<Mapping> mappings, OptionalLong next) {
        public Mappings {
            mappings = List.copyOf(mappings);
        }
    }

    /**
     * What host and module know of a host page.
     *
     * @param type what the module has it as; null where it does not manage it
     * @param ownerTdr TDR of its owner, 0 where it has none
     * @param owner id of that trust domain; empty where none is
     * @param level at which the module holds it
     * @param blockEpoch TD epoch of its last blocking
     * @param rangeRefcount the host's count of its range
     * @param holder who has it in the host's books; empty where it is no RAM
     */
    record HostPage(
            @Hpa long hpa,
            @Nullable PageType type,
            @Hpa long ownerTdr,
            String owner,
            int level,
            long blockEpoch,
            int rangeRefcount,
            String holder) {}

    /**
     * What is known of a guest page.
     *
     * @param page the host page behind it; null where it has none yet
     * @param state of its Secure EPT entry; FREE for a shared page; null as in {@link Mapping}
     */
    record GuestPage(@Nullable HostPage page, boolean isPrivate, @Nullable SeptEntryState state) {}

    /** Sets the attribute of a range; the number of private mappings removed. */
    Outcome<Long> convert(String id, @Gpa long gpa, long bytes, boolean toPrivate);

    /**
     * Maps private pages without a guest fault. A TD that runs stops for it and goes on.
     *
     * @param abandoned asked now and then; true ends it early
     * @return bytes from the start of the range that are mapped now, above 0
     */
    Outcome<Long> preFault(String id, @Gpa long gpa, long bytes, BooleanSupplier abandoned);

    /** Frees the private pages of a range; the number of pages that went back to the host. */
    Outcome<Long> punch(String id, @Gpa long gpa, long bytes);

    /**
     * What is mapped from an address on.
     *
     * @param abandoned asked now and then; true ends it with {@link Refusal.Cancelled}
     */
    Outcome<Mappings> mappings(String id, @Gpa long from, int most, BooleanSupplier abandoned);

    /** Everything about a guest page. */
    Outcome<GuestPage> page(String id, @Gpa long gpa);

    /** Everything about a host page. */
    HostPage page(@Hpa long hpa);

    /** Reads; private memory only of debug TDs. Address and length are multiples of 8. */
    Outcome<byte[]> read(String id, @Gpa long gpa, int bytes);

    /**
     * Writes; private memory only of debug TDs. Address and length are multiples of 8. Where it
     * fails on the way, what comes before stands there.
     *
     * @return the number of bytes
     */
    Outcome<Integer> write(String id, @Gpa long gpa, byte[] data);
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.ByteString;
import dev.seamlab.v1.ConvertMemoryRequest;
import dev.seamlab.v1.ConvertMemoryResponse;
import dev.seamlab.v1.GetPageInfoRequest;
import dev.seamlab.v1.GuestAddress;
import dev.seamlab.v1.ListMappingsRequest;
import dev.seamlab.v1.ListMappingsResponse;
import dev.seamlab.v1.Mapping;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.PageInfo;
import dev.seamlab.v1.PreFaultMemoryRequest;
import dev.seamlab.v1.PreFaultMemoryResponse;
import dev.seamlab.v1.PunchHoleRequest;
import dev.seamlab.v1.PunchHoleResponse;
import dev.seamlab.v1.ReadGuestMemoryRequest;
import dev.seamlab.v1.ReadGuestMemoryResponse;
import dev.seamlab.v1.SeptState;
import dev.seamlab.v1.WriteGuestMemoryRequest;
import dev.seamlab.v1.WriteGuestMemoryResponse;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab memory}. */
@Command(
        name = "memory",
        description = "Changes and shows guest memory, and the pages behind it.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            MemoryCommand.Convert.class,
            MemoryCommand.PreFault.class,
            MemoryCommand.Punch.class,
            MemoryCommand.MapOf.class,
            MemoryCommand.Page.class,
            MemoryCommand.Read.class,
            MemoryCommand.Write.class
        },
        footer = {
            "",
            "Examples:",
            "  seamlab memory map web",
            "  seamlab memory convert web 0x1000000 2M shared",
            "  seamlab memory prefault web 0x2000000 16M",
            "  seamlab memory page web 0x1000000",
            "  seamlab memory page 0x40001000"
        })
final class MemoryCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    /** What memory can be. */
    enum Attribute {
        PRIVATE(MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE),
        SHARED(MemoryAttribute.MEMORY_ATTRIBUTE_SHARED);

        private final MemoryAttribute proto;

        Attribute(MemoryAttribute proto) {
            this.proto = proto;
        }
    }

    /** A range of guest memory. */
    static final class Range {
        @Parameters(
                index = "0",
                paramLabel = "NAME",
                description = "Trust domain, with or without trustDomains/.")
        private String name;

        @Parameters(
                index = "1",
                paramLabel = "GPA",
                converter = HexNumber.class,
                description = "First guest physical address.")
        private long gpa;

        @Parameters(
                index = "2",
                paramLabel = "SIZE",
                converter = Sizes.Converter.class,
                description = "How much, for example 2M.")
        private long size;
    }

    /** {@code seamlab memory convert}. */
    @Command(
            name = "convert",
            description = "Makes a range private or shared (KVM_SET_MEMORY_ATTRIBUTES).",
            footer = {"", "Example:", "  seamlab memory convert web 0x1000000 2M shared"})
    static final class Convert implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private Range range;

        @Parameters(index = "3", paramLabel = "ATTRIBUTE", description = "private or shared.")
        private Attribute attribute;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ConvertMemoryResponse answer =
                        client.memory()
                                .convertMemory(
                                        ConvertMemoryRequest.newBuilder()
                                                .setName(TdNameParameter.full(range.name))
                                                .setGpa(range.gpa)
                                                .setSizeBytes(range.size)
                                                .setAttribute(attribute.proto)
                                                .build());
                options.answer(answer, answer.getRemovedPages() + " private mappings removed");
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab memory prefault}. */
    @Command(
            name = "prefault",
            description = "Maps private pages without a guest fault (KVM_PRE_FAULT_MEMORY).",
            footer = {"", "Example:", "  seamlab memory prefault web 0x2000000 16M"})
    static final class PreFault implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private Range range;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                PreFaultMemoryResponse answer =
                        client.memory()
                                .preFaultMemory(
                                        PreFaultMemoryRequest.newBuilder()
                                                .setName(TdNameParameter.full(range.name))
                                                .setGpa(range.gpa)
                                                .setSizeBytes(range.size)
                                                .build());
                options.answer(answer, Sizes.show(answer.getMappedBytes()) + " mapped");
                return answer.getMappedBytes() == range.size ? ExitCodes.OK : ExitCodes.EXHAUSTED;
            }
        }
    }

    /** {@code seamlab memory punch}. */
    @Command(
            name = "punch",
            description = "Frees the private pages of a range (fallocate PUNCH_HOLE).",
            footer = {"", "Example:", "  seamlab memory punch web 0x1000000 2M"})
    static final class Punch implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private Range range;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                PunchHoleResponse answer =
                        client.memory()
                                .punchHole(
                                        PunchHoleRequest.newBuilder()
                                                .setName(TdNameParameter.full(range.name))
                                                .setGpa(range.gpa)
                                                .setSizeBytes(range.size)
                                                .build());
                options.answer(answer, answer.getFreedPages() + " pages went back to the host");
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab memory map}. */
    @Command(
            name = "map",
            description = "Lists what is mapped, with the state of the Secure EPT.",
            footer = {"", "Example:", "  seamlab memory map web"})
    static final class MapOf implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private TdNameParameter name;

        @Override
        public Integer call() {
            List<Mapping> all;
            try (Client client = options.connect()) {
                all =
                        Pages.all(
                                token ->
                                        client.memory()
                                                .listMappings(
                                                        ListMappingsRequest.newBuilder()
                                                                .setParent(name.get())
                                                                .setPageToken(token)
                                                                .build()),
                                ListMappingsResponse::getMappingsList,
                                ListMappingsResponse::getNextPageToken);
            }
            if (options.forPrograms()) {
                options.print(ListMappingsResponse.newBuilder().addAllMappings(all));
                return ExitCodes.OK;
            }
            Table table =
                    new Table(
                            Table.Align.LEFT,
                            Table.Align.RIGHT,
                            Table.Align.LEFT,
                            Table.Align.LEFT,
                            Table.Align.LEFT);
            table.row("GPA", "SIZE", "ATTRIBUTE", "S-EPT", "LEVEL");
            for (Mapping mapping : all) {
                table.row(
                        Hex.word(mapping.getGpa()),
                        Sizes.show(mapping.getSizeBytes()),
                        word(mapping.getAttribute()),
                        word(mapping.getSeptState()),
                        mapping.getLevel() == 0 ? "4K" : mapping.getLevel() == 1 ? "2M" : "1G");
            }
            table.print(options.out());
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab memory page}. */
    @Command(
            name = "page",
            description = "Shows all that is known of a host page, or of a guest page.",
            footer = {
                "",
                "Examples:",
                "  seamlab memory page 0x40001000",
                "  seamlab memory page web 0x1000000"
            })
    static final class Page implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(
                arity = "1..2",
                paramLabel = "[NAME] ADDRESS",
                description =
                        "Host physical address; or a trust domain and a guest physical address.")
        private List<String> where;

        @Override
        public Integer call() throws Exception {
            GetPageInfoRequest.Builder request = GetPageInfoRequest.newBuilder();
            long address = new HexNumber().convert(where.getLast());
            if (where.size() == 1) {
                request.setHpa(address);
            } else {
                request.setGuest(
                        GuestAddress.newBuilder()
                                .setTrustDomain(TdNameParameter.full(where.getFirst()))
                                .setGpa(address));
            }
            try (Client client = options.connect()) {
                PageInfo page = client.memory().getPageInfo(request.build());
                if (options.forPrograms()) {
                    options.print(page);
                } else {
                    print(options, page);
                }
                return ExitCodes.OK;
            }
        }

        private static void print(ClientOptions options, PageInfo page) {
            Table table = new Table(Table.Align.LEFT, Table.Align.LEFT);
            table.row("HPA", page.hasHpa() ? Hex.word(page.getHpa()) : "none yet");
            if (page.getAttribute() != MemoryAttribute.MEMORY_ATTRIBUTE_UNSPECIFIED) {
                table.row("attribute", word(page.getAttribute()));
            }
            if (page.getSeptState() != SeptState.SEPT_STATE_UNSPECIFIED) {
                table.row("S-EPT", word(page.getSeptState()));
            }
            if (page.hasHpa()) {
                table.row("type", page.getPageType().isEmpty() ? "-" : page.getPageType())
                        .row("TDR of owner", Hex.word(page.getOwnerTdrHpa()))
                        .row("trust domain", page.getTrustDomain())
                        .row("level", Integer.toString(page.getLevel()))
                        .row("BEPOCH", Long.toUnsignedString(page.getBlockEpoch()))
                        .row("refcount of range", Integer.toString(page.getRangeRefcount()))
                        .row("holder", page.getHolder().isEmpty() ? "-" : page.getHolder());
            }
            table.print(options.out());
        }
    }

    /** {@code seamlab memory read}. */
    @Command(
            name = "read",
            description = "Reads guest memory; private memory only of debug trust domains.",
            footer = {"", "Example:", "  seamlab memory read web 0x1000000 64"})
    static final class Read implements Callable<Integer> {
        private static final int LINE = 16;

        @Mixin private ClientOptions options;
        @Mixin private Range range;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ReadGuestMemoryResponse answer =
                        client.memory()
                                .readGuestMemory(
                                        ReadGuestMemoryRequest.newBuilder()
                                                .setName(TdNameParameter.full(range.name))
                                                .setGpa(range.gpa)
                                                .setSizeBytes(
                                                        (int)
                                                                Math.min(
                                                                        range.size,
                                                                        Integer.MAX_VALUE))
                                                .build());
                if (options.forPrograms()) {
                    options.print(answer);
                    return ExitCodes.OK;
                }
                byte[] data = answer.getData().toByteArray();
                HexFormat hex = HexFormat.ofDelimiter(" ");
                for (int at = 0; at < data.length; at += LINE) {
                    int end = Math.min(data.length, at + LINE);
                    options.out()
                            .println(
                                    Hex.word(range.gpa + at) + "  " + hex.formatHex(data, at, end));
                }
                options.out().flush();
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab memory write}. */
    @Command(
            name = "write",
            description = "Writes guest memory; private memory only of debug trust domains.",
            footer = {"", "Example:", "  seamlab memory write web 0x1000000 0011223344556677"})
    static final class Write implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(
                index = "0",
                paramLabel = "NAME",
                description = "Trust domain, with or without trustDomains/.")
        private String name;

        @Parameters(
                index = "1",
                paramLabel = "GPA",
                converter = HexNumber.class,
                description = "First guest physical address, a multiple of 8.")
        private long gpa;

        @Parameters(
                index = "2",
                paramLabel = "BYTES",
                description = "What to write, as hex digits; a multiple of 8 bytes.")
        private String bytes;

        @Override
        public Integer call() {
            byte[] data;
            try {
                data = HexFormat.of().parseHex(bytes);
            } catch (IllegalArgumentException e) {
                throw new CommandFailure(
                        ExitCodes.BAD_INPUT,
                        "BYTES: '" + bytes + "' are no bytes: write two hex digits for each");
            }
            try (Client client = options.connect()) {
                WriteGuestMemoryResponse answer =
                        client.memory()
                                .writeGuestMemory(
                                        WriteGuestMemoryRequest.newBuilder()
                                                .setName(TdNameParameter.full(name))
                                                .setGpa(gpa)
                                                .setData(ByteString.copyFrom(data))
                                                .build());
                options.answer(answer, data.length + " bytes written");
                return ExitCodes.OK;
            }
        }
    }

    private static String word(MemoryAttribute attribute) {
        return attribute.name().substring("MEMORY_ATTRIBUTE_".length()).toLowerCase(Locale.ROOT);
    }

    private static String word(SeptState state) {
        return state.name().substring("SEPT_STATE_".length());
    }
}

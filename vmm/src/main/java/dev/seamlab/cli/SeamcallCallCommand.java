// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.LeafSelector;
import dev.seamlab.v1.Registers;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallResponse;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code seamlab seamcall call}. */
@Command(
        name = "call",
        description = {
            "Executes one SEAMCALL and prints the status and all registers that are not 0.",
            "On the server's own host it goes past the host's bookkeeping and can break it."
        },
        footer = {
            "",
            "Examples:",
            "  seamlab seamcall call TDH.SYS.RD rdx=0x0A00000300000008",
            "  seamlab sandbox create lab",
            "  seamlab seamcall call --sandbox lab TDH.SYS.INIT",
            "  seamlab seamcall call --sandbox lab --cpu 1 rax=35",
            "",
            "Exit code 3 where the module answers with an error."
        })
final class SeamcallCallCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private SandboxOption sandbox;

    @Option(
            names = "--cpu",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "Logical CPU (default: ${DEFAULT-VALUE}).")
    private int cpu;

    @Option(
            names = "--leaf-version",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "Version of the leaf (default: ${DEFAULT-VALUE}).")
    private int version;

    @Parameters(
            arity = "1..*",
            paramLabel = "LEAF|REGISTER=VALUE",
            description =
                    "Name of the leaf (or rax=VALUE), and registers on the way in; those left out"
                            + " are 0.")
    private List<String> arguments;

    @Override
    public Integer call() {
        SeamcallRequest.Builder request =
                SeamcallRequest.newBuilder().setSandbox(sandbox.get()).setCpu(cpu);
        List<String> registers = arguments;
        if (!arguments.getFirst().contains("=")) {
            request.setLeaf(
                    LeafSelector.newBuilder().setName(arguments.getFirst()).setVersion(version));
            registers = arguments.subList(1, arguments.size());
        }
        request.setRegisters(RegisterText.parse(registers));
        try (Client client = options.connect()) {
            SeamcallResponse answer = client.seamcalls().call(request.build());
            if (options.forPrograms()) {
                options.print(answer);
            } else {
                print(answer);
            }
            return answer.getStatus().getError() ? ExitCodes.REFUSED : ExitCodes.OK;
        }
    }

    private void print(SeamcallResponse answer) {
        Registers after = answer.getRegisters();
        String name = answer.getStatus().getName();
        String operand = answer.getStatus().getOperand();
        Table table = new Table(Table.Align.LEFT, Table.Align.LEFT);
        table.row(
                "rax",
                Hex.word(after.getRax())
                        + "  "
                        + (name.isEmpty() ? "(unknown)" : name)
                        + (operand.isEmpty() ? "" : "|" + operand));
        Registers.getDescriptor().getFields().stream()
                .filter(register -> register.getNumber() != Registers.RAX_FIELD_NUMBER)
                .filter(register -> (long) after.getField(register) != 0)
                .forEach(register ->
                        table.row(register.getName(), Hex.word((long) after.getField(register))));
        table.print(options.out());
    }
}

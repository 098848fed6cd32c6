// SPDX-License-Identifier: Apache-2.0
package dev.seamlab;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Arrows between rooms go down only. */
@AnalyzeClasses(packages = "dev.seamlab", importOptions = ImportOption.DoNotIncludeTests.class)
class ArrowsTest {
    private static final String MACHINE = "dev.seamlab.machine..";
    private static final String ABI = "dev.seamlab.seam.abi..";
    private static final String MODULE = "dev.seamlab.seam..";
    private static final String HOST = "dev.seamlab.host..";
    private static final String KVM = "dev.seamlab.kvm..";
    private static final String GUEST = "dev.seamlab.guest..";
    private static final String VMM = "dev.seamlab.vmm..";
    private static final String CONTROL = "dev.seamlab.control..";
    private static final String CLI = "dev.seamlab.cli..";
    private static final String STUBS = "dev.seamlab.v1..";

    /** The module behind its ABI. */
    private static final DescribedPredicate<JavaClass> INSIDE_THE_MODULE =
            resideInAPackage(MODULE)
                    .and(DescribedPredicate.not(resideInAPackage(ABI)))
                    .as("the module's inside");

    @ArchTest
    static final ArchRule machineStandsOnNothing =
            noClasses()
                    .that()
                    .resideInAPackage(MACHINE)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(MODULE, HOST, KVM, GUEST, VMM, CONTROL, CLI, STUBS)
                    .because("hardware knows neither firmware nor software");

    @ArchTest
    static final ArchRule abiStandsOnTheMachine =
            noClasses()
                    .that()
                    .resideInAPackage(ABI)
                    .should()
                    .dependOnClassesThat(
                            INSIDE_THE_MODULE.or(
                                    resideInAnyPackage(HOST, KVM, GUEST, VMM, CONTROL, CLI, STUBS)))
                    .because("both sides share the ABI, so it may know neither");

    @ArchTest
    static final ArchRule moduleKnowsNoHost =
            noClasses()
                    .that()
                    .resideInAPackage(MODULE)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(HOST, KVM, GUEST, VMM, CONTROL, CLI, STUBS)
                    .because("the module trusts nobody outside");

    @ArchTest
    static final ArchRule hostAndKvmSpeakToTheModuleOnlyThroughTheAbi =
            noClasses()
                    .that()
                    .resideInAnyPackage(HOST, KVM)
                    .should()
                    .dependOnClassesThat(INSIDE_THE_MODULE)
                    .because("a host that can see PAMT objects would not notice when they lie");

    @ArchTest
    static final ArchRule hostKnowsNothingAbove =
            noClasses()
                    .that()
                    .resideInAPackage(HOST)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(KVM, GUEST, VMM, CONTROL, CLI, STUBS)
                    .because("arrows go down");

    @ArchTest
    static final ArchRule kvmKnowsNothingAbove =
            noClasses()
                    .that()
                    .resideInAPackage(KVM)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(VMM, CONTROL, CLI, STUBS)
                    .because("arrows go down");

    @ArchTest
    static final ArchRule guestsKnowOnlyTheirCpu =
            noClasses()
                    .that()
                    .resideInAPackage(GUEST)
                    .should()
                    .dependOnClassesThat(
                            INSIDE_THE_MODULE.or(
                                    resideInAnyPackage(HOST, KVM, VMM, CONTROL, CLI, STUBS)))
                    .because("a guest knows neither host nor KVM");

    @ArchTest
    static final ArchRule vmmKnowsNothingAbove =
            noClasses()
                    .that()
                    .resideInAPackage(VMM)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(CONTROL, CLI, STUBS)
                    .because("arrows go down");

    @ArchTest
    static final ArchRule controlHasNoTdxLogic =
            noClasses()
                    .that()
                    .resideInAPackage(CONTROL)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            KVM, CLI, "dev.seamlab.host.tdh..", "dev.seamlab.host.pamt..")
                    .because("services translate, validate and delegate");

    @ArchTest
    static final ArchRule clientsSpeakGrpc =
            noClasses()
                    .that()
                    .resideInAPackage(CLI)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(VMM, KVM, GUEST, MODULE)
                    .because(
                            "the command is a client; only names of profiles and presets are local");

    @ArchTest
    static final ArchRule onlyTheVmmLoadsTheModule =
            classes()
                    .that()
                    .haveFullyQualifiedName("dev.seamlab.seam.TdxModule")
                    .should()
                    .onlyHaveDependentClassesThat()
                    .resideInAnyPackage(MODULE, VMM)
                    .because("everyone else reaches the module through the machine");

    @ArchTest
    static final ArchRule onlyOneClassConstructsTheModule =
            noClasses()
                    .that()
                    .resideInAPackage(VMM)
                    .and()
                    .doNotHaveSimpleName("RawMachine")
                    .should()
                    .dependOnClassesThat()
                    .haveFullyQualifiedName("dev.seamlab.seam.TdxModule")
                    .because(
                            "the module is loaded where the machine is switched on, and nowhere else");

    @ArchTest
    static final ArchRule lowerRoomsArePlainJava =
            noClasses()
                    .that()
                    .resideInAnyPackage(MACHINE, MODULE, HOST, KVM, GUEST, VMM)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "io.quarkus..",
                            "io.grpc..",
                            "io.vertx..",
                            "io.netty..",
                            "jakarta..",
                            "com.google.protobuf..",
                            "com.google.rpc..",
                            "io.micrometer..",
                            "picocli..")
                    .because("they are libraries, to be fuzzed and benchmarked alone");

    @ArchTest
    static final ArchRule locksComeFromTheSchedulingSeam =
            noClasses()
                    .that()
                    .resideOutsideOfPackages("dev.seamlab.machine.sched..", STUBS)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("java.util.concurrent.locks..")
                    .because("a scheduler has to see every lock");

    @ArchTest
    static final ArchRule noCirclesBetweenRooms =
            slices().matching("dev.seamlab.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule noCirclesBetweenServices =
            slices().matching("dev.seamlab.control.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule noCirclesInsideTheHost =
            slices().matching("dev.seamlab.host.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule noCirclesInsideTheMachine =
            slices().matching("dev.seamlab.machine.(*)..").should().beFreeOfCycles();
}

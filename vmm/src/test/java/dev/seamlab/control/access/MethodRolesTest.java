// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.OperationsGrpc;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MethodRolesTest {
    /** Every method of every service that our protos define, found in the stubs themselves. */
    private static Set<String> allMethods() throws ReflectiveOperationException {
        Set<String> methods = new TreeSet<>();
        for (JavaClass type : new ClassFileImporter().importPackages("dev.seamlab.v1")) {
            String name = type.getSimpleName();
            if (type.isTopLevelClass() && name.endsWith("Grpc") && !name.startsWith("Mutiny")) {
                ServiceDescriptor service =
                        (ServiceDescriptor)
                                Class.forName(type.getName())
                                        .getMethod("getServiceDescriptor")
                                        .invoke(null);
                add(service, methods);
            }
        }
        add(OperationsGrpc.getServiceDescriptor(), methods);
        return methods;
    }

    private static void add(ServiceDescriptor service, Set<String> methods) {
        for (MethodDescriptor<?, ?> method : service.getMethods()) {
            methods.add(method.getFullMethodName());
        }
    }

    @Test
    void everyMethodOfEveryService_hasARow() throws ReflectiveOperationException {
        Set<String> methods = allMethods();
        assertThat(methods).hasSizeGreaterThan(70).contains("seamlab.v1.Host/GetHost");
        assertThat(MethodRoles.rows().keySet()).containsAll(methods);
    }

    @Test
    void everyRowOfOurServices_isAMethodThatExists() throws ReflectiveOperationException {
        Set<String> ours =
                MethodRoles.rows().keySet().stream()
                        .filter(method ->
                                method.startsWith("seamlab.") || method.startsWith("google."))
                        .collect(Collectors.toCollection(TreeSet::new));
        assertThat(allMethods()).containsAll(ours);
    }

    @Test
    void whatLooks_needsAViewer_andNothingElseDoes() throws ReflectiveOperationException {
        Set<String> looks =
                allMethods().stream()
                        .filter(method ->
                                method.substring(method.indexOf('/') + 1)
                                        .matches("(Get|List|Watch|Wait|Decode|Compare).*"))
                        .collect(Collectors.toCollection(TreeSet::new));
        for (String method : allMethods()) {
            assertThat(MethodRoles.needed(method) == Role.VIEWER)
                    .as(method)
                    .isEqualTo(looks.contains(method));
        }
    }

    @Test
    void aMethodThatNobodyWroteDown_needsTheHighestRole() {
        assertThat(MethodRoles.needed("seamlab.v1.Host/Forgotten")).isEqualTo(Role.LAB);
    }

    @ParameterizedTest
    @CsvSource({
        "seamlab.v1.TrustDomains/GetTrustDomain, VIEWER",
        "seamlab.v1.TrustDomains/CreateTrustDomain, OPERATOR",
        "seamlab.v1.Seamcalls/Call, LAB",
        "seamlab.v1.Seamcalls/WriteMemory, LAB",
        "seamlab.v1.Seamcalls/CreateSandbox, LAB",
        "seamlab.v1.Faults/CreateFault, LAB",
        "grpc.health.v1.Health/Check, VIEWER",
    })
    void rolesOfSomeMethods_areAsDocumented(String method, Role role) {
        assertThat(MethodRoles.needed(method)).isEqualTo(role);
    }
}

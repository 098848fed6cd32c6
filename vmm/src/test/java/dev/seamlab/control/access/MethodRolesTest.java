// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.control.contract.Api;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MethodRolesTest {
    private static Set<String> allMethods() {
        return Api.all().stream()
                .map(rpc -> rpc.method().getFullMethodName())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyMethodOfEveryService_hasARow() {
        Set<String> methods = allMethods();
        assertThat(methods).hasSizeGreaterThan(70).contains("seamlab.v1.Host/GetHost");
        assertThat(MethodRoles.rows().keySet()).containsAll(methods);
    }

    @Test
    void everyRowOfOurServices_isAMethodThatExists() {
        Set<String> ours =
                MethodRoles.rows().keySet().stream()
                        .filter(method ->
                                method.startsWith("seamlab.") || method.startsWith("google."))
                        .collect(Collectors.toCollection(TreeSet::new));
        assertThat(allMethods()).containsAll(ours);
    }

    @Test
    void whatLooks_needsAViewer_andNothingElseDoes() {
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

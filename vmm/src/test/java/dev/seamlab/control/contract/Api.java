// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import com.google.longrunning.OperationsGrpc;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Every method of every service that our protos define, found in the stubs themselves. */
public final class Api {
    private static final List<Rpc> ALL = find();

    private Api() {}

    /** All methods, in the order of their names. */
    public static List<Rpc> all() {
        return ALL;
    }

    /** The method with a name such as {@code Kvm/CreateVm}. */
    static Rpc rpc(String name) {
        return ALL.stream()
                .filter(rpc -> rpc.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("there is no method " + name));
    }

    private static List<Rpc> find() {
        List<Rpc> methods = new ArrayList<>();
        for (JavaClass type : new ClassFileImporter().importPackages("dev.seamlab.v1")) {
            String name = type.getSimpleName();
            if (type.isTopLevelClass() && name.endsWith("Grpc") && !name.startsWith("Mutiny")) {
                add(service(type.getName()), methods);
            }
        }
        add(OperationsGrpc.getServiceDescriptor(), methods);
        methods.sort(Comparator.comparing(Rpc::name));
        return List.copyOf(methods);
    }

    private static ServiceDescriptor service(String stub) {
        try {
            return (ServiceDescriptor)
                    Class.forName(stub).getMethod("getServiceDescriptor").invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(stub, e);
        }
    }

    private static void add(ServiceDescriptor service, List<Rpc> methods) {
        for (MethodDescriptor<?, ?> method : service.getMethods()) {
            methods.add(new Rpc(method));
        }
    }
}

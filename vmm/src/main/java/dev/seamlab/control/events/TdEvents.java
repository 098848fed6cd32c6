// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.v1.Event;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.TdListener;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TdState;

/** Writes down what happens to trust domains. */
public final class TdEvents implements TdListener {
    private final EventLog log;

    public TdEvents(EventLog log) {
        this.log = log;
    }

    @Override
    public void changed(TdSnapshot now) {
        String name = TrustDomainName.of(now.id());
        boolean failed = now.state() == TdState.FAILED && now.failure().isPresent();
        if (failed && now.failure().get() instanceof Refusal.GuestFailed guest) {
            log.append(Event.Type.GUEST, name, "vCPU " + guest.vcpu() + ": " + guest.reason());
        }
        String why = failed ? ": " + now.failure().get().message() : "";
        log.appendState(name, now.state().name(), now.id() + " is " + now.state() + why);
    }

    @Override
    public void gone(TdSnapshot last) {
        log.appendState(TrustDomainName.of(last.id()), "DELETED", last.id() + " is gone");
    }

    @Override
    public void leaked(String id, @Hpa long page) {
        log.append(
                Event.Type.PAGE_LEAKED,
                TrustDomainName.of(id),
                "page " + Addresses.show(page) + " is given up: the module may still own it");
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Machine;
import dev.seamlab.seam.abi.Status;

/** What a SEAMCALL that did not succeed means to bring-up, as the kernel's error number. */
@FunctionalInterface
public interface SeamcallErrno {
    /** What the kernel makes up where SEAMCALL raises #GP: the CPU has no TDX, or not enabled. */
    long GENERAL_PROTECTION = Status.SOFTWARE_ERROR | 13;

    /** What the kernel makes up where SEAMCALL raises #UD: the CPU is not in VMX operation. */
    long INVALID_OPCODE = Status.SOFTWARE_ERROR | 6;

    /**
     * As the kernel does (facts: Linux sheet section 1.2). The made-up statuses are told apart by
     * their low halves, so they are compared whole.
     */
    SeamcallErrno KERNEL =
            status -> {
                if (status == Machine.SEAMCALL_VMFAILINVALID) {
                    return Errno.ENODEV;
                }
                if (status == GENERAL_PROTECTION) {
                    return Errno.EOPNOTSUPP;
                }
                return status == INVALID_OPCODE ? Errno.EACCES : Errno.EIO;
            };

    /**
     * Translates a status.
     *
     * @param status completion status, not SUCCESS
     * @return ENODEV without a module, EOPNOTSUPP, EACCES, or EIO for what the module itself says
     */
    int of(long status);
}

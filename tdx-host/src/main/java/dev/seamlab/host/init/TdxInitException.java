// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.seam.abi.Status;

/** Bring-up of the TDX module failed; everything it had taken is given back. */
public final class TdxInitException extends Exception {
    private static final long serialVersionUID = 1L;

    private final InitStep step;
    private final int errno;
    private final long status;
    private final String logLine;

    /** A failure without a SEAMCALL behind it. */
    public TdxInitException(InitStep step, int errno, String why) {
        this(step, errno, why, "");
    }

    /**
     * A failure without a SEAMCALL behind it.
     *
     * @param logLine what the kernel prints about it; empty where it prints nothing
     */
    public TdxInitException(InitStep step, int errno, String why, String logLine) {
        super(
                "TDX bring-up failed at "
                        + step.title()
                        + ": "
                        + why
                        + " ("
                        + Errno.name(errno)
                        + ")");
        this.step = step;
        this.errno = errno;
        this.status = Status.SUCCESS;
        this.logLine = logLine;
    }

    /** A failure because the module refused. */
    public TdxInitException(InitStep step, int errno, String what, long status) {
        super(
                "TDX bring-up failed at "
                        + step.title()
                        + ": "
                        + what
                        + ": "
                        + Status.show(status)
                        + " ("
                        + Errno.name(errno)
                        + ")");
        this.step = step;
        this.errno = errno;
        this.status = status;
        this.logLine = "";
    }

    /** The step that failed. */
    public InitStep step() {
        return step;
    }

    /** What the kernel prints about it before it gives up; empty where it prints nothing. */
    public String logLine() {
        return logLine;
    }

    /** The kernel's error number, see {@link Errno}. */
    public int errno() {
        return errno;
    }

    /** Name of {@link #errno}. */
    public String errnoName() {
        return Errno.name(errno);
    }

    /** The module's answer; 0 where no SEAMCALL failed. */
    public long status() {
        return status;
    }
}

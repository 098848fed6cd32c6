// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.kernel;

/**
 * Linux error numbers as the host layer returns them: negative, with {@link #OK} for success. They
 * are plain ints, because hot paths return them.
 */
public final class Errno {
    public static final int OK = 0;
    public static final int EPERM = -1;
    public static final int ENOENT = -2;
    public static final int EINTR = -4;
    public static final int EIO = -5;
    public static final int E2BIG = -7;
    public static final int EAGAIN = -11;
    public static final int ENOMEM = -12;
    public static final int EACCES = -13;
    public static final int EFAULT = -14;
    public static final int EBUSY = -16;
    public static final int EEXIST = -17;
    public static final int ENODEV = -19;
    public static final int EINVAL = -22;
    public static final int ENOSPC = -28;
    public static final int EOPNOTSUPP = -95;

    private Errno() {}

    /** Name of an error number, or the number itself where the model uses none such. */
    public static String name(int errno) {
        return switch (errno) {
            case OK -> "OK";
            case EPERM -> "EPERM";
            case ENOENT -> "ENOENT";
            case EINTR -> "EINTR";
            case EIO -> "EIO";
            case E2BIG -> "E2BIG";
            case EAGAIN -> "EAGAIN";
            case ENOMEM -> "ENOMEM";
            case EACCES -> "EACCES";
            case EFAULT -> "EFAULT";
            case EBUSY -> "EBUSY";
            case EEXIST -> "EEXIST";
            case ENODEV -> "ENODEV";
            case EINVAL -> "EINVAL";
            case ENOSPC -> "ENOSPC";
            case EOPNOTSUPP -> "EOPNOTSUPP";
            default -> "errno " + errno;
        };
    }
}

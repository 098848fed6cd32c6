// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

/** What user space and guest can do to memory in the programs of {@link MemoryOracleTest}. */
sealed interface MemoryOp {
    record SetSlot(int id, int base, int pages, int file, int offset) implements MemoryOp {}

    record DeleteSlot(int id) implements MemoryOp {}

    record SetAttributes(int from, int pages, boolean privately) implements MemoryOp {}

    record Punch(int from, int pages, boolean privately) implements MemoryOp {}

    record Fallocate(int file, int from, int pages, boolean punch) implements MemoryOp {}

    record PreFault(int from, int pages) implements MemoryOp {}

    record Accept(int from, int pages) implements MemoryOp {}

    record AcceptLarge(int unit) implements MemoryOp {}

    record Access(int page, boolean privately, long value) implements MemoryOp {}

    record UserWrites(int page, long value) implements MemoryOp {}

    record Collapse(int unit) implements MemoryOp {}
}

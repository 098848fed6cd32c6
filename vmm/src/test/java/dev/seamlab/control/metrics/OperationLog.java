// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jboss.logmanager.ExtLogRecord;

/** What is logged about operations while this is open, with what each thread worked for. */
final class OperationLog extends Handler implements AutoCloseable {
    private final Logger logger = Logger.getLogger("dev.seamlab.control.operation.OperationStore");
    private final Level before = logger.getLevel();
    private final Queue<ExtLogRecord> records = new ConcurrentLinkedQueue<>();

    OperationLog() {
        logger.setLevel(Level.ALL);
        logger.addHandler(this);
    }

    /** The line that says that an operation is done. */
    ExtLogRecord done(String operation) {
        return records.stream()
                .filter(record -> record.getMessage().equals("Is done"))
                .filter(record -> operation.equals(record.getMdc("operation")))
                .findFirst()
                .orElseThrow();
    }

    @Override
    public void publish(LogRecord record) {
        ExtLogRecord wrapped = ExtLogRecord.wrap(record);
        wrapped.copyAll();
        records.add(wrapped);
    }

    @Override
    public void flush() {
        // Nothing is held back.
    }

    @Override
    public void close() {
        logger.removeHandler(this);
        logger.setLevel(before);
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Where a test wants the queue of what reached the {@link LoopbackCollector}. */
@Target(ElementType.FIELD)
@Retention(RetentionPolicy.RUNTIME)
@interface Exported {}

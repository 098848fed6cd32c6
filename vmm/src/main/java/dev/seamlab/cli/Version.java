// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.IVersionProvider;

/** The version in the manifest of the application. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        String version = Seamlab.class.getPackage().getImplementationVersion();
        return new String[] {"seamlab " + (version == null ? "(from source)" : version)};
    }
}

# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Sourced by ./mvnw and ./seamlab. Finds a JDK that is new enough and exports JAVA_HOME, or ends with one line.
#
# Order: JAVA_HOME, `java` on the PATH, then the folders where JDKs usually live; there the lowest version that is
# new enough wins, so that an early-access JDK lying around changes nothing.

SEAMLAB_JDK_WANTED=25

# Prints the feature version of the JDK in folder $1; fails where there is none.
seamlab_jdk_version() {
    [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] || return 1
    seamlab_v=
    if [ -r "$1/release" ]; then
        seamlab_v=$(sed -n 's/^JAVA_VERSION="\([0-9][0-9]*\).*/\1/p' "$1/release")
    fi
    if [ -z "$seamlab_v" ]; then
        seamlab_v=$("$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9][0-9]*\).*/\1/p' | head -n 1)
    fi
    [ -n "$seamlab_v" ] && printf '%s\n' "$seamlab_v"
}

# Prints the folder of the JDK that `java` on the PATH belongs to; fails where that cannot be told.
seamlab_jdk_on_path() {
    seamlab_java=$(command -v java 2>/dev/null) || return 1
    # Follows links by hand: readlink -f is not everywhere.
    while [ -L "$seamlab_java" ]; do
        seamlab_link=$(ls -ld "$seamlab_java")
        seamlab_link=${seamlab_link#*" -> "}
        case $seamlab_link in
            /*) seamlab_java=$seamlab_link ;;
            *) seamlab_java=$(dirname "$seamlab_java")/$seamlab_link ;;
        esac
    done
    (cd "$(dirname "$seamlab_java")/.." 2>/dev/null && pwd -P)
}

# Prints the best JDK in the usual folders, or nothing.
seamlab_jdk_in_usual_folders() {
    seamlab_best=
    seamlab_best_v=
    for seamlab_dir in \
        /usr/lib/jvm/* /usr/java/* /usr/local/java/* /opt/java/* /opt/jdk* /opt/*jdk* \
        "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* "$HOME"/.local/share/mise/installs/java/* \
        "$HOME"/.asdf/installs/java/* \
        /Library/Java/JavaVirtualMachines/*/Contents/Home \
        "$HOME"/Library/Java/JavaVirtualMachines/*/Contents/Home \
        /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
        /usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home; do
        seamlab_dir_v=$(seamlab_jdk_version "$seamlab_dir") || continue
        [ "$seamlab_dir_v" -ge "$SEAMLAB_JDK_WANTED" ] || continue
        if [ -z "$seamlab_best" ] || [ "$seamlab_dir_v" -lt "$seamlab_best_v" ]; then
            seamlab_best=$seamlab_dir
            seamlab_best_v=$seamlab_dir_v
        fi
    done
    if [ -z "$seamlab_best" ] && [ -x /usr/libexec/java_home ]; then
        seamlab_best=$(/usr/libexec/java_home -F -v "$SEAMLAB_JDK_WANTED+" 2>/dev/null) || seamlab_best=
    fi
    printf '%s\n' "$seamlab_best"
}

seamlab_find_jdk() {
    seamlab_old=
    for seamlab_home in "${JAVA_HOME-}" "$(seamlab_jdk_on_path)" "$(seamlab_jdk_in_usual_folders)"; do
        [ -n "$seamlab_home" ] || continue
        seamlab_found=$(seamlab_jdk_version "$seamlab_home") || continue
        if [ "$seamlab_found" -ge "$SEAMLAB_JDK_WANTED" ]; then
            JAVA_HOME=$seamlab_home
            export JAVA_HOME
            return 0
        fi
        [ -n "$seamlab_old" ] || seamlab_old=" (found only JDK $seamlab_found in $seamlab_home)"
    done
    printf '%s\n' "seamlab: needs a JDK $SEAMLAB_JDK_WANTED or newer$seamlab_old: install one, e.g. Eclipse Temurin $SEAMLAB_JDK_WANTED, or set JAVA_HOME to its folder" >&2
    return 1
}

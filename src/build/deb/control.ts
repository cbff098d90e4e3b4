/** What dpkg reads of the package, and the scripts that it runs. */

const SERVICE = "lectern.service";

export interface ControlFacts {
  version: string;
  architecture: string;
  /** Of what is installed, in KiB. */
  installedSize: number;
}

/** 1.2.0-rc.1 comes before 1.2.0, which Debian writes with a tilde. */
export function debianVersion(version: string): string {
  return version.replace("-", "~");
}

export function controlFile({ version, architecture, installedSize }: ControlFacts): string {
  return `Package: lectern
Version: ${version}
Architecture: ${architecture}
Maintainer: The Lectern authors <lectern@localhost>
Installed-Size: ${installedSize}
Depends: libc6 (>= 2.29), libgcc-s1, libstdc++6 (>= 9), passwd, init-system-helpers
Recommends: ca-certificates
Suggests: tesseract-ocr
Section: net
Priority: optional
Description: search and answers from documents, behind OpenAI's APIs
 Lectern serves OpenAI's Files, Vector Stores, Embeddings, Responses and
 Assistants APIs from this machine, with a web console. Documents, vectors and
 models stay here.
 .
 The package runs it as a service of its own user on 127.0.0.1:8080.
`;
}

export const CONFFILES = "/etc/lectern/lectern.toml\n";

/** Makes the user, the directories and, where there is no data yet, the first administrator's key. */
export const POSTINST = `#!/bin/sh
set -e

if [ "$1" = configure ]; then
  if ! getent passwd lectern >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/lectern --no-create-home --shell /usr/sbin/nologin \\
      --comment "Lectern" lectern
  fi
  if [ ! -d /var/lib/lectern ]; then
    install -d -m 0700 -o lectern -g lectern /var/lib/lectern
  fi
  if [ -z "$2" ]; then
    chown root:lectern /etc/lectern/lectern.toml
    chmod 0640 /etc/lectern/lectern.toml
  fi
  if [ ! -e /etc/lectern/environment ]; then
    (
      umask 077
      {
        echo "# Variables of the service, for keys: LECTERN_OPENAI_API_KEY=... Only root reads this file."
        echo "# A change needs: systemctl restart lectern"
      } >/etc/lectern/environment
      if [ ! -e /var/lib/lectern/meta.sqlite ]; then
        key=$(tr -dc A-Za-z0-9 </dev/urandom | head -c 32)
        echo "sk-lec-$key" >/etc/lectern/admin-key
        chown lectern:lectern /etc/lectern/admin-key
        echo "LECTERN_API_KEY_FILE=/etc/lectern/admin-key" >>/etc/lectern/environment
        echo "The administrator's key of Lectern is in /etc/lectern/admin-key."
      fi
    )
  fi
fi

if [ "$1" = configure ] || [ "$1" = abort-upgrade ] || [ "$1" = abort-deconfigure ] || [ "$1" = abort-remove ]; then
  deb-systemd-helper unmask ${SERVICE} >/dev/null || true
  if deb-systemd-helper --quiet was-enabled ${SERVICE}; then
    deb-systemd-helper enable ${SERVICE} >/dev/null || true
  else
    deb-systemd-helper update-state ${SERVICE} >/dev/null || true
  fi
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    deb-systemd-invoke $action ${SERVICE} >/dev/null || true
  fi
fi
`;

export const PRERM = `#!/bin/sh
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${SERVICE} >/dev/null || true
fi
`;

/** Purging takes settings and keys away. Documents are nobody's settings: their owner removes them. */
export const POSTRM = `#!/bin/sh
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = remove ] && [ -x /usr/bin/deb-systemd-helper ]; then
  deb-systemd-helper mask ${SERVICE} >/dev/null || true
fi
if [ "$1" = purge ]; then
  if [ -x /usr/bin/deb-systemd-helper ]; then
    deb-systemd-helper purge ${SERVICE} >/dev/null || true
    deb-systemd-helper unmask ${SERVICE} >/dev/null || true
  fi
  rm -f /etc/lectern/admin-key /etc/lectern/environment
  rmdir /etc/lectern 2>/dev/null || true
  if [ -e /var/lib/lectern/meta.sqlite ]; then
    echo "The documents are left in /var/lib/lectern, with the user lectern that owns them."
    echo "Remove them with: rm -r /var/lib/lectern && userdel lectern"
  else
    rm -rf /var/lib/lectern
    userdel lectern 2>/dev/null || true
  fi
fi
`;

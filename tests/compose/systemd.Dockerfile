# A machine with systemd and the units of config/systemd (the context), for systemd.py.
# Its drop-ins are what a container forbids (users of its own), and a watchdog that a test can wait for.
FROM ops-sidecar:local AS sidecar

FROM python:3.13-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends systemd procps && rm -rf /var/lib/apt/lists/*
COPY --from=sidecar /opt/ops-sidecar /opt/ops-sidecar
COPY . /etc/systemd/system/
RUN mkdir /etc/ops-sidecar \
 && printf 'inbound:\n  propagation: {inject: [b3multi]}\n' > /etc/ops-sidecar/sidecar.yaml \
 && for unit in ops-sidecar.service ops-sidecar@.service; do \
      mkdir "/etc/systemd/system/$unit.d" \
      && printf '[Service]\nPrivateUsers=no\nWatchdogSec=3\n' > "/etc/systemd/system/$unit.d/test.conf"; \
    done \
 && printf '[Service]\nDynamicUser=yes\nExecStart=/opt/ops-sidecar/bin/python3 -B -m proxy.demo.echo --port 8080\n[Install]\nWantedBy=multi-user.target\n' \
      > /etc/systemd/system/app.service \
 && systemctl enable app.service ops-sidecar.socket ops-sidecar.service
# systemd wants cgroups of the second version, which a container may mount for itself.
CMD ["sh", "-c", "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec /lib/systemd/systemd"]

#!/bin/sh
# Tells containerd whether it may lower the OOM score of containers: where the
# machine withholds CAP_SYS_RESOURCE, runc dies when it tries. Decided at each
# start, because the same image serves both kinds of machines.
set -eu

cap_sys_resource=24
bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
if [ $((0x$bounding >> cap_sys_resource & 1)) -eq 0 ]; then
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
fi

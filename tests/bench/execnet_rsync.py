"""Measures how execnet copies folders. Run as a part of execnet_peer.py."""

import os
import time

import execnet
from execnet_memory import peak_rss_of, reset_peak_rss, rss_of

REST = 1
gateways = []


def gateways_for(copy):
    """The same for all rounds."""
    while len(gateways) < len(copy["to"]):
        gateways.append(execnet.makegateway("popen"))
    return gateways


def copy_all(copy):
    made = gateways_for(copy)
    began = time.perf_counter()
    rsync = execnet.RSync(copy["from"], verbose=False)
    for one, target in zip(made, copy["to"]):
        rsync.add_target(one, target)
    rsync.send()
    return (time.perf_counter() - began) * 1000


def rsync(size, kind, copy):
    return copy_all(copy)


def rsync_memory(size, kind, copy):
    pid = gateways_for(copy)[0].remote_exec("import os; channel.send(os.getpid())").receive()
    time.sleep(REST)
    local, remote = rss_of(os.getpid()), rss_of(pid)
    for each in (os.getpid(), pid):
        reset_peak_rss(each)
    copy_all(copy)
    return {"local": peak_rss_of(os.getpid()) - local, "remote": peak_rss_of(pid) - remote}


TASKS = {"rsync": rsync, "rsync-memory": rsync_memory}

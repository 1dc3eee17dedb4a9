"""The memory of processes, in MiB, for the measurements of execnet."""


def rss_of(pid, field="VmRSS"):
    with open("/proc/%s/status" % pid) as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise AssertionError("process %s has no resident memory" % pid)


def peak_rss_of(pid):
    return rss_of(pid, "VmHWM")


def reset_peak_rss(pid):
    with open("/proc/%s/clear_refs" % pid, "w") as refs:
        refs.write("5")

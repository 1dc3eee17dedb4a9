"""Measures execnet for Python. Run by the driver: a task comes as a line of JSON, its figures go back as another."""

import collections
import concurrent.futures
import json
import os
import sys
import threading
import time

import execnet
import execnet_rsync
from execnet_memory import rss_of

BLOCK_BYTES = 1 << 20
UNREAD_BYTES = 64 * 1024

MAKE_BLOCKS = """
def make_blocks(size):
    return [bytes([i]) + bytes(size - 2) + bytes([255 - i]) for i in range(16)]
"""
exec(MAKE_BLOCKS)

COLLECT = """
kept = []
while 1:
    one = channel.receive()
    if one is None:
        break
    kept.append(one)
"""

SOURCES = {
    "echo": """
while 1:
    channel.send(channel.receive())
""",
    "ints": """
while 1:
    for i in range(channel.receive()):
        channel.send(i % 1000)
""",
    "take_ints": """
while 1:
    wrong = 0
    for i in range(channel.receive()):
        if channel.receive() != i % 1000:
            wrong += 1
    channel.send(wrong)
""",
    "dicts": """
while 1:
    for i in range(channel.receive()):
        channel.send({"id": i, "name": "abc", "vals": [1, 2, 3]})
""",
    "blocks": MAKE_BLOCKS
    + """
blocks = make_blocks(channel.receive())
while 1:
    for i in range(channel.receive()):
        channel.send(blocks[i % 16])
""",
    "take_blocks": """
size = channel.receive()
while 1:
    wrong = 0
    for i in range(channel.receive()):
        block = channel.receive()
        if len(block) != size or block[0] != i % 16 or block[-1] != 255 - i % 16:
            wrong += 1
    channel.send(wrong)
""",
    "endless_blocks": MAKE_BLOCKS
    + """
blocks = make_blocks(channel.receive())
i = 0
while not channel.isclosed():
    try:
        channel.send(blocks[i % 16])
    except IOError:
        break
    i += 1
""",
    "unread": MAKE_BLOCKS
    + """
blocks = make_blocks(channel.receive())
done = channel.receive()
count = channel.receive()
for i in range(count):
    channel.send(blocks[i % 16])
done.send(count)
channel.receive()
""",
    "keep": COLLECT
    + """
for one in kept:
    one.send(one.receive())
channel.receive()
""",
    "echo_all": """
kept = []
while 1:
    one = channel.receive()
    if one is None:
        break
    one.setcallback(one.send)
    kept.append(one)
channel.send(None)
channel.receive()
""",
    "ints_all": COLLECT
    + """
channel.send(None)
while 1:
    for i in range(channel.receive()):
        for one in kept:
            one.send(i % 1000)
""",
    "pid": "import os; channel.send(os.getpid())",
}

gateways = {}
channels = {}


def ssh_spec(way):
    config = os.environ["BENCH_SSH_" + way.upper()]
    return "ssh=%s//ssh_config=%s//python=%s" % (os.environ["BENCH_SSH_ALIAS"], config, sys.executable)


def gateway(kind=""):
    if kind not in gateways:
        if kind == "via":
            execnet.makegateway("popen//id=hop")
        spec = {"": "popen", "via": "popen//via=hop"}.get(kind) or ssh_spec("fresh")
        gateways[kind] = execnet.makegateway(spec)
    return gateways[kind]


def channel_to(source, kind, *first):
    if (source, kind) not in channels:
        channel = channels[source, kind] = gateway(kind).remote_exec(SOURCES[source])
        for item in first:
            channel.send(item)
    return channels[source, kind]


def expect(actual, expected, what):
    if actual != expected:
        raise AssertionError("%s: expected %r, got %r" % (what, expected, actual))


def expect_block(block, index, size):
    if len(block) != size or block[0] != index % 16 or block[-1] != 255 - index % 16:
        raise AssertionError("block %d is not what was sent" % index)


def rate(size, began):
    return size / (time.perf_counter() - began)


def start(size, kind):
    total = 0
    for _ in range(size):
        began = time.perf_counter()
        one = execnet.makegateway("popen")
        expect(one.remote_exec("channel.send(1)").receive(), 1, "the first item")
        total += time.perf_counter() - began
        one.exit()
        one.join()
    return total * 1000 / size


def start_ssh(size, kind):
    ready = first = 0
    for _ in range(size):
        began = time.perf_counter()
        one = execnet.makegateway(ssh_spec(kind))
        ready += time.perf_counter() - began
        expect(one.remote_exec("channel.send(1)").receive(), 1, "the first item")
        first += time.perf_counter() - began
        one.exit()
        one.join()
    return {"ready": ready * 1000 / size, "first": first * 1000 / size}


def pings(channel, size):
    began = time.perf_counter()
    for i in range(size):
        channel.send(i % 100)
        expect(channel.receive(), i % 100, "the echo")
    return (time.perf_counter() - began) * 1e6 / size


def ping(size, kind):
    return pings(channel_to("echo", kind), size)


def keep_open(kind, source):
    """As many channels as `kind` says, made for one execution of `source`, which has them all."""
    if (source, kind) not in channels:
        carrier = gateway().remote_exec(SOURCES[source])
        opened = [gateway().newchannel() for _ in range(int(kind))]
        for channel in opened:
            carrier.send(channel)
        carrier.send(None)
        expect(carrier.receive(), None, "the word that all channels are there")
        channels[source, kind] = carrier, opened
    return channels[source, kind]


def ping_channels(size, kind):
    _, opened = keep_open(kind, "echo_all")
    began = time.perf_counter()
    for i in range(size):
        channel = opened[i % len(opened)]
        channel.send(i % 100)
        expect(channel.receive(), i % 100, "the echo")
    return (time.perf_counter() - began) * 1e6 / size


def ints_over(size, kind):
    carrier, opened = keep_open(kind, "ints_all")
    each = -(-size // len(opened))
    began = time.perf_counter()
    carrier.send(each)
    for i in range(each):
        for channel in opened:
            if channel.receive() != i % 1000:
                raise AssertionError("item %d is wrong" % i)
    return rate(each * len(opened), began)


def ints_in(size, kind):
    channel = channel_to("ints", kind)
    began = time.perf_counter()
    channel.send(size)
    for i in range(size):
        if channel.receive() != i % 1000:
            raise AssertionError("item %d is wrong" % i)
    return rate(size, began)


def ints_out(size, kind):
    channel = channel_to("take_ints", kind)
    began = time.perf_counter()
    channel.send(size)
    for i in range(size):
        channel.send(i % 1000)
    expect(channel.receive(), 0, "wrong items")
    return rate(size, began)


def dicts_in(size, kind):
    channel = channel_to("dicts", kind)
    began = time.perf_counter()
    channel.send(size)
    for i in range(size):
        item = channel.receive()
        if item["id"] != i or item["name"] != "abc" or len(item["vals"]) != 3 or item["vals"][2] != 3:
            raise AssertionError("item %d is wrong" % i)
    return rate(size, began)


def bulk_in(size, kind):
    channel = channel_to("blocks", kind, BLOCK_BYTES)
    began = time.perf_counter()
    channel.send(size)
    for i in range(size):
        expect_block(channel.receive(), i, BLOCK_BYTES)
    return rate(size, began)


def bulk_out(size, kind):
    channel = channel_to("take_blocks", kind, BLOCK_BYTES)
    blocks = make_blocks(BLOCK_BYTES)  # noqa: F821
    began = time.perf_counter()
    channel.send(size)
    for i in range(size):
        channel.send(blocks[i % 16])
    expect(channel.receive(), 0, "wrong blocks")
    return rate(size, began)


def ping_under_bulk(size, kind):
    # A gateway of its own, as nothing stops its sender but the end.
    one = execnet.makegateway("popen")
    echo = one.remote_exec(SOURCES["echo"])
    pings(echo, 10)
    bulk = one.remote_exec(SOURCES["endless_blocks"])
    state = {"moved": 0, "stop": False, "error": None}

    def move():
        try:
            while not state["stop"]:
                expect_block(bulk.receive(), state["moved"], BLOCK_BYTES)
                state["moved"] += 1
        except Exception as error:
            state["error"] = error

    thread = threading.Thread(target=move)
    bulk.send(BLOCK_BYTES)
    thread.start()
    while state["moved"] < 20 and state["error"] is None:
        time.sleep(0.001)
    before = state["moved"]
    began = time.perf_counter()
    per_ping = pings(echo, size)
    meanwhile = rate(state["moved"] - before, began)
    state["stop"] = True
    thread.join()
    if state["error"] is not None:
        raise state["error"]
    bulk.close()
    execnet.default_group.terminate(timeout=1.0)
    gateways.clear()
    channels.clear()
    return {"ping": per_ping, "bulk": meanwhile}


def unread(size, kind):
    pid = gateway().remote_exec(SOURCES["pid"]).receive()
    channel = gateway().remote_exec(SOURCES["unread"])
    done = gateway().newchannel()
    channel.send(UNREAD_BYTES)
    channel.send(done)
    time.sleep(1)
    local, remote = rss_of(os.getpid()), rss_of(pid)
    channel.send(size)
    expect(done.receive(), size, "items sent")
    time.sleep(0.5)
    local, remote = rss_of(os.getpid()) - local, rss_of(pid) - remote
    for i in range(size):
        expect_block(channel.receive(), i, UNREAD_BYTES)
    channel.send(None)
    channel.waitclose()
    return {"both": local + remote, "local": local, "remote": remote}


def memory(size, kind):
    one = execnet.makegateway("popen")
    pid = one.remote_exec(SOURCES["pid"]).receive()
    time.sleep(1)
    result = rss_of(pid)
    one.exit()
    one.join()
    return result


def execute(size, kind):
    began = time.perf_counter()
    for _ in range(size):
        channel = gateway().remote_exec("channel.send(1)")
        expect(channel.receive(), 1, "the item")
        channel.waitclose()
    return rate(size, began)


def executes_100(size, kind):
    # One thread keeps a window of 100 executions full; a hundred threads with one execution each come to the same.
    under_way = collections.deque()
    began = time.perf_counter()
    for i in range(size + 100):
        if i >= 100 and under_way:
            channel = under_way.popleft()
            expect(channel.receive(), 1, "the item")
            channel.waitclose()
        if i < size:
            under_way.append(gateway().remote_exec("channel.send(1)"))
    return rate(size, began)


def many(size, kind):
    # makegateway waits for its process, so that each gateway gets a thread to start in: on two cores that takes two
    # thirds of the time of one after the other.
    group = execnet.Group()

    def first_item(_):
        one = group.makegateway("popen")
        expect(one.remote_exec("channel.send(1)").receive(), 1, "the first item")

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(size) as pool:
        for _ in pool.map(first_item, range(size)):
            pass
    group.terminate(timeout=10)
    return (time.perf_counter() - began) * 1000


def many_each(size, kind):
    return {"each": many(size, kind) / size}


def workers(size, kind):
    return {"time": many(size, kind)}


def channels_open(size, kind):
    one = execnet.makegateway("popen")
    pid = one.remote_exec(SOURCES["pid"]).receive()
    carrier = one.remote_exec(SOURCES["keep"])
    time.sleep(1)
    local, remote = rss_of(os.getpid()), rss_of(pid)
    began = time.perf_counter()
    opened = []
    for _ in range(size):
        channel = one.newchannel()
        carrier.send(channel)
        opened.append(channel)
    carrier.send(None)
    for i, channel in enumerate(opened):
        channel.send(i)
    for i, channel in enumerate(opened):
        expect(channel.receive(), i, "the item sent back")
    result = rate(size, began)
    time.sleep(1)
    each = 1024 * 1024 / size
    local, remote = (rss_of(os.getpid()) - local) * each, (rss_of(pid) - remote) * each
    carrier.send(None)
    carrier.waitclose()
    one.exit()
    one.join()
    return {"rate": result, "local": local, "remote": remote}


TASKS = {
    "ready": lambda size, kind: 0,
    "start": start,
    "ping": ping,
    "ping-channels": ping_channels,
    "ints-over": ints_over,
    "many-each": many_each,
    "ints-in": ints_in,
    "ints-out": ints_out,
    "dicts-in": dicts_in,
    "bulk-in": bulk_in,
    "bulk-out": bulk_out,
    "ping-under-bulk": ping_under_bulk,
    "unread": unread,
    "memory": memory,
    "exec": execute,
    "execs-100": executes_100,
    "many": many,
    "workers": workers,
    "channels": channels_open,
    "start-ssh": start_ssh,
    **execnet_rsync.TASKS,
}


def main():
    for line in sys.stdin:
        task = json.loads(line)
        try:
            # Copies are told what to copy as well.
            more = [task["copy"]] if "copy" in task else []
            result = TASKS[task["task"]](task["size"], task["kind"], *more)
            answer = {"figures": result if isinstance(result, dict) else {"value": result}}
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)
    execnet.default_group.terminate(timeout=2.0)


main()

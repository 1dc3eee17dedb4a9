import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { formatAddress, isLoopback, parseAddress } from "../../gateway/socket/address.ts";
import { test } from "../helpers/bounded.ts";

test("parseAddress() reads hosts, IPv6, ports alone and nothing else", () => {
  const at = (host: string, port: number): { host: string; port: number } => ({ host, port });
  const cases: [string, { host: string; port: number } | undefined][] = [
    ["8888", at("127.0.0.1", 8888)],
    [":8888", at("127.0.0.1", 8888)],
    ["0", at("127.0.0.1", 0)],
    ["build1:80", at("build1", 80)],
    ["0.0.0.0:65535", at("0.0.0.0", 65535)],
    ["[::1]:8888", at("::1", 8888)],
    ["[fe80::1]:1", at("fe80::1", 1)],
    ["", undefined],
    [":", undefined],
    ["host", undefined],
    ["host:", undefined],
    ["host:65536", undefined],
    ["host:-1", undefined],
    ["::1:8888", undefined],
    ["[::1]", undefined],
    ["[nonsense]:1", undefined],
    ["a b:1", undefined],
    ["a:1\n", undefined],
    ["a:1 ", undefined],
  ];
  for (const [text, expected] of cases) assertEquals(parseAddress(text), expected, text);
  for (const text of ["build1:80", "[::1]:8888"]) assertEquals(formatAddress(parseAddress(text)!), text);
});

test("isLoopback() knows what only this machine can reach", () => {
  for (const host of ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1"]) {
    assertEquals(isLoopback(host), true, host);
  }
  for (
    const host of ["0.0.0.0", "::", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "fe80::1"]
  ) {
    assertEquals(isLoopback(host), false, host);
  }
});

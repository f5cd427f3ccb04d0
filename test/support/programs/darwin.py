"""Calls functions of a Mach-O bundle on an emulated CPU, and imitates the part of XNU that write(2) needs.

stdin, as JSON:
  bundle     the file
  cpu        x64 or arm64
  registers  number, arguments, result and clobbered, from the table in src/syscalls/levels/raw.ts
  calls      a list of
               symbol     the function
               arguments  each a number, or a text: the address of its bytes
               carry      the carry flag after every system call
               value      the result after every system call; null: the bytes asked for
stdout, as JSON: per call
  result     what the function returned
  writes     per system call: number, arguments, bytes, code (the instruction that entered the kernel)
  lost       the registers that the function had to preserve but changed
"""

import json
import struct
import sys

from unicorn import UC_ARCH_ARM64, UC_ARCH_X86, UC_HOOK_INSN, UC_HOOK_INTR, UC_MODE_64, UC_MODE_ARM, Uc
from unicorn import arm64_const, x86_const

BASE = 0x100000000  # address of the bundle
DATA = 0x200000000  # address of the texts
STACK = 0x300000000
STOP = 0x400000000  # return address of the functions
SIZE = 0x100000
LIMIT_US = 10_000_000
GARBAGE = 0xDEADDEADDEADDEAD

KEPT = {
    "x64": ["rbx", "rbp", "r12", "r13", "r14", "r15", "rsp"],
    "arm64": [f"x{n}" for n in range(19, 30)] + ["sp"],
}
PARAMETERS = {"x64": ["rdi", "rsi", "rdx"], "arm64": ["x0", "x1", "x2"]}
# EFLAGS: overflow, sign, zero, adjust, parity, carry; PSTATE: negative, zero, carry, overflow.
FLAGS = {"x64": ("eflags", 0x8D5), "arm64": ("nzcv", 0xF0000000)}
CARRY = {"x64": 1 << 0, "arm64": 1 << 29}


def load(path):
    """Returns the segments (address, bytes, size) and symbols of a file: <mach-o/loader.h>, <mach-o/nlist.h>."""
    with open(path, "rb") as file:
        image = file.read()
    segments, symbols = [], {}
    at = 32
    for _ in range(struct.unpack_from("<I", image, 16)[0]):
        command, size = struct.unpack_from("<II", image, at)
        if command == 0x19:  # LC_SEGMENT_64
            address, length, start, stored = struct.unpack_from("<QQQQ", image, at + 24)
            segments.append((address, image[start : start + stored], length))
        elif command == 0x2:  # LC_SYMTAB
            table, count, names, _ = struct.unpack_from("<IIII", image, at + 8)
            for n in range(count):
                name, _, _, _, value = struct.unpack_from("<IBBHQ", image, table + 16 * n)
                end = image.index(b"\0", names + name)
                symbols[image[names + name : end].decode()] = BASE + value
        at += size
    return segments, symbols


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class Machine:
    def __init__(self, plan):
        self.cpu = plan["cpu"]
        self.registers = plan["registers"]
        if self.cpu == "x64":
            self.uc = Uc(UC_ARCH_X86, UC_MODE_64)
            self.uc.hook_add(UC_HOOK_INSN, lambda *_: self.enter(), None, 1, 0, x86_const.UC_X86_INS_SYSCALL)
        else:
            self.uc = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
            self.uc.hook_add(UC_HOOK_INTR, lambda *_: self.enter())
        segments, self.symbols = load(plan["bundle"])
        for address, content, size in segments:
            if size:
                self.uc.mem_map(BASE + address, -(-size // 0x1000) * 0x1000)
                self.uc.mem_write(BASE + address, content)
        for address in (DATA, STACK):
            self.uc.mem_map(address, SIZE)
        self.uc.mem_map(STOP, 0x1000)

    def id(self, name):
        if self.cpu == "x64":
            return getattr(x86_const, f"UC_X86_REG_{name.upper()}")
        return getattr(arm64_const, f"UC_ARM64_REG_{name.upper()}")

    def get(self, name):
        return self.uc.reg_read(self.id(name))

    def set(self, name, value):
        self.uc.reg_write(self.id(name), value & 0xFFFFFFFFFFFFFFFF)

    def enter(self):
        """Does what the kernel does: bsd/dev/i386/systemcalls.c and bsd/dev/arm/systemcalls.c in XNU."""
        arguments = [self.get(name) for name in self.registers["arguments"]]
        _, bytes_at, count = arguments
        if self.cpu == "x64":
            code = bytes(self.uc.mem_read(self.get("rip"), 2))  # the hook runs before the emulator advances rip
        else:
            code = bytes(self.uc.mem_read(self.get("pc") - 4, 4))
            # The kernel zeroes x18 at every return to user space: osfmk/arm64/locore.s.
            self.set("x18", 0)
        self.writes.append(
            {
                "number": self.get(self.registers["number"]),
                "arguments": [signed(argument) for argument in arguments],
                "bytes": bytes(self.uc.mem_read(bytes_at, min(count, 64))).hex(),
                "code": code.hex(),
            }
        )
        for name in self.registers["clobbered"]:
            if name not in ("flags", "memory"):
                self.set(name, GARBAGE)
        flags, mask = FLAGS[self.cpu]
        value = self.get(flags)
        if "flags" in self.registers["clobbered"]:
            value ^= mask
        value = value | CARRY[self.cpu] if self.answer["carry"] else value & ~CARRY[self.cpu]
        self.set(flags, value)
        self.set(self.registers["result"], count if self.answer["value"] is None else self.answer["value"])

    def call(self, call):
        self.answer = call
        self.writes = []
        free = DATA
        for name, value in zip(PARAMETERS[self.cpu], call["arguments"]):
            if isinstance(value, str):
                text = value.encode()
                self.uc.mem_write(free, text)
                value, free = free, free + len(text)
            self.set(name, value)
        top = STACK + SIZE // 2
        for n, name in enumerate(KEPT[self.cpu]):
            self.set(name, 0x1111111111111111 * (n % 15 + 1))
        if self.cpu == "x64":
            # A call instruction has pushed the return address.
            self.uc.mem_write(top - 8, struct.pack("<Q", STOP))
            self.set("rsp", top - 8)
        else:
            self.set("x30", STOP)
            self.set("sp", top)
        before = {name: self.get(name) for name in KEPT[self.cpu]}
        if self.cpu == "x64":
            before["rsp"] = top
        self.uc.emu_start(self.symbols[call["symbol"]], STOP, timeout=LIMIT_US)
        if self.get("rip" if self.cpu == "x64" else "pc") != STOP:
            raise TimeoutError(call["symbol"])
        return {
            "result": signed(self.get("rax" if self.cpu == "x64" else "x0")),
            "writes": self.writes,
            "lost": [name for name, value in before.items() if self.get(name) != value],
        }


plan = json.load(sys.stdin)
machine = Machine(plan)
json.dump([machine.call(call) for call in plan["calls"]], sys.stdout)

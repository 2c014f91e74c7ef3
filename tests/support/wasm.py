"""What a WebAssembly object file needs from elsewhere: the functions of its import section.
The format is that of the core specification, "Modules" under "Binary Format"."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self):
        """An unsigned LEB128."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def limits(self):
        for _ in range(1 + (self.number() & 1)):
            self.number()


def imported_functions(data):
    """Their names, in a module or object file."""
    assert data[:8] == b"\0asm\1\0\0\0", "no WebAssembly"
    reader = Reader(data)
    reader.at = 8
    names = set()
    while reader.at < len(data):
        section, size = reader.number(), reader.number()
        if section != 2:
            reader.bytes(size)
            continue
        for _ in range(reader.number()):
            reader.bytes(reader.number())  # the module
            name, kind = reader.bytes(reader.number()).decode(), reader.number()
            if kind == 0:
                names.add(name)
                reader.number()
            elif kind == 1:
                reader.number(), reader.limits()
            elif kind == 2:
                reader.limits()
            else:
                reader.number(), reader.number()
    return names

import Core
import Glibc
import Testing

@testable import IO

@Suite struct SharedMemoryTests {
    @Test func sharedMemoryKeepsItsSize() throws {
        let fd = try SharedMemory.make("test", size: 8192)
        let first = try SharedMemory.map(fd.raw)
        let second = try SharedMemory.map(fd.raw)
        #expect(first.count == 8192 && first.allSatisfy { $0 == 0 })
        first[5000] = 7
        #expect(second[5000] == 7)
        // A process gone wrong cannot pull the memory away from under the others.
        #expect(ftruncate(fd.raw, 0) != 0)
        #expect(ftruncate(fd.raw, 1 << 20) != 0)
    }

    @Test func aSealedBlockCannotBeWritten() throws {
        let fd = try [UInt8](repeating: 65, count: 5000).withUnsafeBytes { try SealedBlock.make("test", $0) }
        let block = try SealedBlock(fd.raw)
        #expect(block.size == 5000 && block.base.load(fromByteOffset: 4999, as: UInt8.self) == 65)
        var octet: UInt8 = 1
        #expect(pwrite(fd.raw, &octet, 1, 0) == -1)
        #expect(ftruncate(fd.raw, 10) == -1)
    }

    @Test func anUnsealedOneIsRefused() throws {
        let fd = try SharedMemory.make("test", size: 4096)
        #expect(throws: Errno(EPERM)) { try SealedBlock(fd.raw) }
    }

    @Test func anEmptyOneIsRefused() throws {
        let fd = try SealedBlock.make("test", UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(throws: Errno(EINVAL)) { try SealedBlock(fd.raw) }
    }
}

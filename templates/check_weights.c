
{{name}}_status {{name}}_check_weights(const void *weights) {
    const unsigned char *const bytes = weights;
    uint64_t checksum = 0xcbf29ce484222325u;
    if (bytes == NULL) return {{NAME}}_NO_WEIGHTS;
    if ((uintptr_t)bytes % {{NAME}}_ALIGNMENT != 0) return {{NAME}}_UNALIGNED_WEIGHTS;
    for (size_t i = 0; i < {{NAME}}_WEIGHTS; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        checksum = (checksum ^ word) * 0x100000001b3u;
    }
    return checksum == {{checksum}} ? {{NAME}}_OK : {{NAME}}_WRONG_WEIGHTS;
}

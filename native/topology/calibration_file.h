#pragma once

#include "topology/page_map.h"

#include <filesystem>
#include <optional>
#include <string>

namespace monokernel {

/// The device that a calibration is of: it holds for this device with this driver only.
struct CalibrationKey {
    std::string target; ///< as GpuDevice::target
    std::string device; ///< the driver's name for it
    std::string driver; ///< the driver's version
    uint32_t computeUnits = 0;
    uint64_t memoryBytes = 0;

    bool operator==(const CalibrationKey &) const = default;
};

/// What a calibration found out about a device's memory.
struct Calibration {
    CalibrationKey key;
    PageMap map;                    ///< of the pages that were measured; an allocation elsewhere has another rotation
    double confidence = 0.0;        ///< 0 for the identity
    double localNanoseconds = 0.0;  ///< median round trip of a flag in a page of the own home; 0: not measured
    double remoteNanoseconds = 0.0; ///< likewise in other homes' pages
    uint32_t pages = 0;             ///< measured
    std::string reason;             ///< for people
};

/// Where calibrations are kept for this user: $XDG_CACHE_HOME/monokernel, else ~/.cache/monokernel (on Windows
/// %LOCALAPPDATA%\monokernel); empty if none of these is known.
std::filesystem::path calibrationFolder();

/// The file of one key: its parts are in the name, a hash of all of them too.
std::filesystem::path calibrationFile(const std::filesystem::path &folder, const CalibrationKey &key);

/// The kept calibration of exactly this key. Nothing when there is none; when the file is there but is broken, of
/// another version or of another key, nothing too, and `message` says so.
std::optional<Calibration> readCalibration(const std::filesystem::path &folder, const CalibrationKey &key,
                                           std::string &message);

/// Keeps it, in one step: a reader sees the old file or the new one. Makes the folder. Throws std::runtime_error with
/// the file's name when it cannot be written.
void writeCalibration(const std::filesystem::path &folder, const Calibration &calibration);

} // namespace monokernel

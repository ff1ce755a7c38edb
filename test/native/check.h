#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <vector>

/// The native tests' small harness: CHECK counts failures and goes on, TEST registers, checkMain runs all (or those
/// whose name contains argv[1]) and returns 1 on any failure.
namespace check {

struct Case {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Case> &cases() {
    static std::vector<Case> all;
    return all;
}

inline int &failures() {
    static int count = 0;
    return count;
}

inline bool report(bool ok, const char *file, int line, const std::string &what) {
    if (!ok) {
        failures()++;
        std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what.c_str());
    }
    return ok;
}

struct Register {
    Register(const char *name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

inline int checkMain(int argc, char **argv) {
    const std::string filter = argc > 1 ? argv[1] : "";
    int ran = 0;
    for (const Case &test : cases()) {
        if (test.name.find(filter) == std::string::npos) {
            continue;
        }
        ran++;
        const int before = failures();
        try {
            test.body();
        } catch (const std::exception &error) {
            report(false, __FILE__, __LINE__, test.name + " threw: " + error.what());
        }
        std::printf("%s %s\n", failures() == before ? "ok  " : "FAIL", test.name.c_str());
    }
    if (ran == 0) {
        std::fprintf(stderr, "no test matches '%s'\n", filter.c_str());
        return 1;
    }
    return failures() == 0 ? 0 : 1;
}

} // namespace check

#define CHECK(condition) check::report((condition), __FILE__, __LINE__, #condition)
#define CHECK_MESSAGE(condition, message)                                                                              \
    check::report((condition), __FILE__, __LINE__, std::string(#condition) + ": " + (message))
#define TEST(name)                                                                                                     \
    static void name();                                                                                                \
    static const check::Register name##Registered(#name, name);                                                        \
    static void name()

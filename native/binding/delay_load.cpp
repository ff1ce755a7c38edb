// Windows only: Node-API's functions live in the host program, which is node.exe for Node but Code.exe for VS Code. The
// import library names NODE.EXE, so its delayed load is answered with the running program.
#include <windows.h>

#include <delayimp.h>

#include <cstring>

namespace {

FARPROC WINAPI useHostProgram(unsigned event, DelayLoadInfo *info) {
    const bool wanted = event == dliNotePreLoadLibrary && _stricmp(info->szDll, "node.exe") == 0;
    return wanted ? reinterpret_cast<FARPROC>(GetModuleHandleA(nullptr)) : nullptr;
}

} // namespace

extern "C" const PfnDliHook __pfnDliNotifyHook2 = useHostProgram;

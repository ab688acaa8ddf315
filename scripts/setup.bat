@ECHO OFF
REM Makes the environment; called by the other launchers. Needs Python 3.11 or newer.
WHERE py >NUL 2>NUL
IF %ERRORLEVEL% EQU 0 (
    py -3 "%~dp0setup_env.py"
) ELSE (
    python "%~dp0setup_env.py"
)
EXIT /B %ERRORLEVEL%

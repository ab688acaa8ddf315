@ECHO OFF
REM Stops the running Coxswain and its services in good order.
SETLOCAL
SET "PY=python"
py -3 -c "" >NUL 2>NUL
IF %ERRORLEVEL% EQU 0 SET "PY=py -3"
%PY% "%~dp0setup_env.py" --run bot.py stop %*
EXIT /B %ERRORLEVEL%

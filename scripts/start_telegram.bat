@ECHO OFF
REM Starts Coxswain: the Telegram command process, or the console without a token.
SETLOCAL
SET "PY=python"
py -3 -c "" >NUL 2>NUL
IF %ERRORLEVEL% EQU 0 SET "PY=py -3"
%PY% "%~dp0setup_env.py" --run bot.py %*
EXIT /B %ERRORLEVEL%

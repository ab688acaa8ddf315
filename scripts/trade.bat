@ECHO OFF
REM Starts Coxswain with the scanner and the tracker: /startbot in one click.
SETLOCAL
SET "PY=python"
py -3 -c "" >NUL 2>NUL
IF %ERRORLEVEL% EQU 0 SET "PY=py -3"
%PY% "%~dp0setup_env.py" --run bot.py --send /startbot %*
EXIT /B %ERRORLEVEL%

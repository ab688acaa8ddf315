@ECHO OFF
REM Stops the running Coxswain and its services in good order.
SETLOCAL
CD /D "%~dp0.."
CALL "%~dp0setup.bat" || EXIT /B 1
".venv\Scripts\python.exe" bot.py stop %*
EXIT /B %ERRORLEVEL%
